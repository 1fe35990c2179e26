/** Builds what the status page shows: the register of gateways, the sampler, and how the gateway is set up. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Surroundings } from "./access-parts";
import type { Config } from "./config";
import { packageRoot, packageVersion } from "./package-root";
import type { AdmitOperator } from "./server/page";
import { StatusPage } from "./server/status-page";
import type { RedisConnection } from "./services/redis/redis-connection";
import { addressText } from "./services/redis/redis-address";
import { GatewayStatus, type SetUp } from "./services/status/gateway-status";
import { ProcessWatch } from "./services/status/process-watch";
import type { MetricSource } from "./services/status/readings";
import { ReplicaRegister } from "./services/status/replica-register";
import { Sampler, samplingPace, type SamplingPace } from "./services/status/sampler";

/** The status page's parts. To be built before the first script of Redis is called. */
export class StatusParts {
  private readonly register: ReplicaRegister;
  private readonly pace: SamplingPace;
  private readonly process = new ProcessWatch();
  private sampler: Sampler | undefined;

  constructor(
    private readonly around: Surroundings,
    private readonly redis: RedisConnection | undefined,
    pace: Partial<SamplingPace> = {},
  ) {
    const { clock, events } = around;
    const self = {
      id: randomUUID().slice(0, 8),
      host: hostname(),
      version: packageVersion(),
      startedAt: clock.now(),
    };
    this.register = new ReplicaRegister(self, redis, events.replicasUnknown);
    this.pace = { ...samplingPace, ...pace };
  }

  /** Builds the page for operators. */
  page(source: MetricSource, admit: AdmitOperator): StatusPage {
    const { config, clock, events, closing } = this.around;
    const look = () => this.process.look();
    const sampler = closing.add(
      new Sampler(source, this.register, look, (error) => void events.internalError(error), this.pace),
    );
    const status = new GatewayStatus(
      sampler,
      this.register,
      this.redis,
      setUpOf(config),
      this.pace.intervalMs,
      clock,
    );
    this.sampler = sampler;
    return new StatusPage({
      directory: join(packageRoot(), "dist", "status"),
      developmentKey: config.access.developmentKey,
      admit,
      status: ({ scope, span }) => status.status(scope, span),
    });
  }

  /** The gateway listens: it is one among the others from now on. */
  async start(): Promise<void> {
    await this.sampler?.start();
  }

  /** Tells the others that the gateway accepts nothing more. */
  drain(): Promise<void> {
    this.sampler?.drain();
    return Promise.resolve();
  }
}

/** What an operator asks first; nothing of it is secret. */
function setUpOf(config: Config): SetUp {
  const { acs, access, redis, directory, tokens, limits, http } = config;
  const yesOrNo = (is: boolean) => (is ? "yes" : "no");
  const configuration = {
    "Production rules": yesOrNo(config.production),
    ...Object.fromEntries(
      acs.resources.map(({ endpoint, accessKey, weight, issuances }, index) => [
        acs.resources.length === 1 ? "ACS resource" : `ACS resource ${index + 1}`,
        [
          new URL(endpoint).host,
          ...(acs.resources.length === 1 ? [] : [`weight ${weight}`]),
          `by ${accessKey === undefined ? "Entra" : "an access key"}`,
          `${issuances} issuances in ${acs.budget.windowMs / 1_000} s`,
        ].join(", "),
      ]),
    ),
    "Gateways that share it": String(acs.budget.replicas),
    Redis: redis
      ? `${redis.address.kind}, ${addressText(redis.address)}`
      : "none: each gateway has a cache of its own",
    "Redis over TLS": redis ? yesOrNo(redis.address.tls) : "",
    "Directory of identities": directory
      ? directory.databaseUrl === undefined
        ? "embedded"
        : `PostgreSQL, ${new URL(directory.databaseUrl).host}`
      : "none",
    "Issuers of access tokens": access.issuers.map(({ issuer }) => issuer).join(", ") || "none",
    "API keys": String(access.apiKeys.length),
    "Cached tokens are served with": `${tokens.minRemainingMs / 60_000} min left or more`,
    "Limits per minute": `${limits.callerRequests} requests of a user, ${limits.addressRequests} from an address`,
    "Operation list": config.operations.onlyListed
      ? "listed operations only"
      : config.operations.file === undefined
        ? "none"
        : "listed operations by id, and others",
    TLS: yesOrNo(http.tls !== undefined),
    Explorer: yesOrNo(config.explorer),
    Audit: typeof config.audit === "string" ? config.audit : "a file",
    "Log level": config.logLevel,
  };
  const rows = Object.entries(configuration).map(([name, value]) => ({ name, value }));
  return { replicas: acs.budget.replicas, configuration: rows.filter(({ value }) => value !== "") };
}
