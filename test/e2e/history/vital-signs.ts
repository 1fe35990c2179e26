/** Watches processes for what they keep: memory, file descriptors, threads. Linux alone tells it; elsewhere it is empty. */
import { readdirSync, readFileSync } from "node:fs";

/** Of one figure: its median early and late in the run, and the most that was seen. */
export interface Course {
  readonly early: number;
  readonly late: number;
  readonly most: number;
}

/** What a process kept over a run. */
export interface VitalSigns {
  readonly process: string;
  readonly samples: number;
  /** Memory that is in use, whether it is garbage or not, in MB. */
  readonly residentMb: Course;
  /** Of JavaScript's heap, the least within a minute, in MB: what is left when garbage has been collected. */
  readonly heapMb: Course | undefined;
  readonly fileDescriptors: Course;
  readonly threads: Course;
}

interface Sample {
  readonly at: number;
  readonly residentMb: number;
  readonly heapMb: number | undefined;
  readonly fileDescriptors: number;
  readonly threads: number;
}

/** A process that is watched. */
export interface Watched {
  readonly name: string;
  readonly pid: number;
  /** Bytes of JavaScript's heap in use; undefined when it does not answer. */
  readonly heapBytes: () => Promise<number | undefined>;
}

/** Looks at each of them every so often, until it is stopped. */
export function watchVitalSigns(watched: readonly Watched[], everyMs = 5_000): { stop(): VitalSigns[] } {
  const samples = watched.map(() => [] as Sample[]);
  const look = () => {
    watched.forEach(({ pid, heapBytes }, index) => {
      const seen = sampleOf(pid);
      if (!seen) return;
      void heapBytes().then((bytes) => {
        samples[index]?.push({ ...seen, heapMb: bytes === undefined ? undefined : bytes / 1e6 });
      });
    });
  };
  const timer = setInterval(look, everyMs);
  return {
    stop: () => {
      clearInterval(timer);
      return watched.map(({ name }, index) => signsOf(name, samples[index] ?? [], 60_000 / everyMs));
    },
  };
}

/** What grew more than the noise of a process that is well explains. */
export function growthsOf(signs: readonly VitalSigns[]): string[] {
  const grown = ({ early, late }: Course, share: number, slack: number) => late > early * (1 + share) + slack;
  return signs.flatMap(({ process, residentMb, heapMb, fileDescriptors, threads }) => [
    ...(grown(residentMb, 0.25, 20) ? [`${process}: memory ${toText(residentMb)} MB`] : []),
    ...(heapMb && grown(heapMb, 0.2, 5) ? [`${process}: heap ${toText(heapMb)} MB`] : []),
    ...(grown(fileDescriptors, 0, 20) ? [`${process}: file descriptors ${toText(fileDescriptors)}`] : []),
    ...(grown(threads, 0, 2) ? [`${process}: threads ${toText(threads)}`] : []),
  ]);
}

function toText({ early, late, most }: Course): string {
  return `${early} → ${late}, at most ${most}`;
}

function sampleOf(pid: number): Omit<Sample, "heapMb"> | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
    return {
      at: performance.now(),
      residentMb: number("VmRSS") / 1e3,
      threads: number("Threads"),
      fileDescriptors: readdirSync(`/proc/${pid}/fd`).length,
    };
  } catch {
    return undefined;
  }
}

function signsOf(process: string, samples: readonly Sample[], perMinute: number): VitalSigns {
  const course = (values: readonly number[]): Course => {
    const part = (from: number, to: number) =>
      median(values.slice(Math.floor(values.length * from), Math.ceil(values.length * to)));
    // The first tenth is for warming up.
    return { early: part(0.1, 0.3), late: part(0.8, 1), most: round(Math.max(...values)) };
  };
  const of = (pick: (sample: Sample) => number) => course(samples.map(pick));
  const heaps = samples.flatMap(({ heapMb }) => (heapMb === undefined ? [] : [heapMb]));
  const least = heaps.map((_, index) =>
    Math.min(...heaps.slice(Math.max(0, index - perMinute + 1), index + 1)),
  );
  return {
    process,
    samples: samples.length,
    residentMb: of(({ residentMb }) => residentMb),
    heapMb: least.length === 0 ? undefined : course(least),
    fileDescriptors: of(({ fileDescriptors }) => fileDescriptors),
    threads: of(({ threads }) => threads),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return round(sorted[sorted.length >> 1] ?? 0);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
