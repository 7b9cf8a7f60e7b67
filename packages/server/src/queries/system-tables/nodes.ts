import { float, integer, type SystemRooms, systemTable, text } from "./system-table.js";

export const nodesTable = systemTable<SystemRooms>({
  name: "nodes",
  help: "The nodes of the cluster.",
  rows: (rooms) => [rooms],
  columns: [
    text("state", "RUNNING.", () => "RUNNING"),
    text("address", "What clients connect to.", ({ node }) => node.address()),
    text("version", "Its version of HStream.", ({ node }) => node.version),
    float("uptime_seconds", "Since its start.", ({ metrics }) => metrics.uptimeMs / 1_000),
    float(
      "cpu_seconds",
      "Time that its process was at work, all threads, since its start.",
      ({ node }) => node.usage().cpuSeconds,
    ),
    integer("memory_bytes", "Memory that its process takes.", ({ node }) => node.usage().memoryBytes),
    integer("appended_bytes", "Bytes appended since its start.", ({ metrics }) =>
      metrics.appends.sum("bytes"),
    ),
    integer("consumers", "Consumers that are connected to it.", ({ subscriptions }) =>
      subscriptions.list().reduce((sum, { id }) => sum + subscriptions.consumers(id).length, 0),
    ),
    integer("read_bytes", "Bytes read since its start.", ({ metrics }) => metrics.reads.sum("bytes")),
    integer(
      "running_queries",
      "Queries that run on it.",
      ({ queries, persistent }) =>
        queries.list().length +
        persistent.list().filter(({ document }) => document.state.kind === "running").length,
    ),
  ],
});
