import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JsonObject } from "@hstream/client";
import type { Files } from "../system/system.js";
import type { DataSource } from "./data-source.js";

const dataFile = join("node_modules", "vega-datasets", "data", "flights-20k.json");
const batchRecords = 500;

/** Flights in the USA in the first months of 2001, if the data set is installed above this file. */
export async function findFlights(files: Files): Promise<DataSource | undefined> {
  let directory = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const path = join(directory, dataFile);
    if (await files.exists(path)) return flights(files, path);
    const parent = dirname(directory);
    if (parent === directory) return undefined;
    directory = parent;
  }
}

function flights(files: Files, path: string): DataSource {
  return {
    title: "20,000 flights of 2001 (vega-datasets)",
    stream: "flights",
    endless: false,
    records: (signal) => readFlights(files, path, signal),
    view: {
      name: "airports",
      sql: "CREATE VIEW airports AS SELECT origin, COUNT(*) AS flights, AVG(delay) AS mean_delay FROM flights GROUP BY origin;",
    },
    watch: "SELECT date, origin, destination, delay FROM flights WHERE delay >= 360 EMIT CHANGES;",
    report: {
      title: "The ten busiest origins",
      sql: "SELECT origin, COUNT(*) AS flights, AVG(delay) AS mean_delay FROM flights GROUP BY origin ORDER BY flights DESC, origin LIMIT 10;",
    },
    suggestions: [
      "SELECT origin, mean_delay FROM airports ORDER BY mean_delay DESC LIMIT 5;",
      "SELECT origin, destination, delay FROM flights ORDER BY delay DESC LIMIT 5;",
    ],
  };
}

async function* readFlights(
  files: Files,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<readonly JsonObject[]> {
  const records = JSON.parse(await files.read(path)) as JsonObject[];
  for (let from = 0; from < records.length && !signal.aborted; from += batchRecords) {
    yield records.slice(from, from + batchRecords);
  }
}
