import {
  DescribeClusterResponse,
  HStreamApiService,
  ServerNode,
  ServerNodeStatus,
  varintLength,
  writeVarint,
} from "@hstream/proto";

/** DescribeCluster, whose answer has two forms. */
export const describeMethod = {
  ...HStreamApiService.describeCluster,
  responseSerialize: (encoded: Buffer) => encoded,
};

/**
 * Whether a caller knows the older form only: the released Go client does, and can be told by the gRPC
 * library it comes with. Its successors come with 1.53 and later.
 */
export function knowsOldDescription(userAgent: string): boolean {
  const [, minor] = /(?:^| )grpc-go\/1\.(\d+)\./.exec(userAgent) ?? [];
  return minor !== undefined && Number(minor) < 53;
}

/**
 * The answer, in the form of the API, or in the older one:
 *
 *   present := [0a protocolVersion] { 12 ServerNode }* { 1a ServerNodeStatus }* [20 upTime]
 *   old     := [0a protocolVersion] [12 version as text] { 1a ServerNode }* { 22 ServerNodeStatus }* [28 upTime]
 */
export function encodeDescription(description: DescribeClusterResponse, old: boolean): Buffer {
  if (!old) return Buffer.from(DescribeClusterResponse.encode(description).finish());
  const { protocolVersion, serverNodes, serverNodesStatus, clusterUpTime } = description;
  const upTime = Buffer.alloc(1 + varintLength(Number(clusterUpTime)));
  upTime[0] = 0x28;
  writeVarint(upTime, 1, Number(clusterUpTime));
  return Buffer.concat([
    delimited(0x0a, Buffer.from(protocolVersion)),
    delimited(0x12, Buffer.from(serverNodes[0]?.version?.version ?? "")),
    ...serverNodes.map((node) => delimited(0x1a, ServerNode.encode(node).finish())),
    ...serverNodesStatus.map((status) => delimited(0x22, ServerNodeStatus.encode(status).finish())),
    upTime,
  ]);
}

function delimited(tag: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(1 + varintLength(bytes.length));
  head[0] = tag;
  writeVarint(head, 1, bytes.length);
  return Buffer.concat([head, bytes]);
}
