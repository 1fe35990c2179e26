#!/usr/bin/env node
/** The command line as a program: runs the command that it is given. */
// First of all: the decorators of the schema's classes write their types through it while they are loaded.
import "reflect-metadata";
import { createCommandLine } from "./command-line";
import { reportAndExit } from "./report";

createCommandLine(process.argv[2]).parseAsync().catch(reportAndExit);
