/** Import rules that hold for whole graphs, which ESLint's rules for single files cannot see. */
export default {
  forbidden: [
    {
      name: "no-circular",
      comment: "Put what both need into a third file; a file of types breaks most circles.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "/generated/" },
    tsConfig: { fileName: "tsconfig.json" },
    // Types that are imported count: a circle of types is a circle for the reader.
    tsPreCompilationDeps: true,
  },
};
