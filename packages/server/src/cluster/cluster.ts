import { must } from "@hstream/proto";
import type { Clock } from "../env/env.js";
import { Placement } from "./placement.js";

/** A server that clients may call. */
export interface Member {
  readonly id: number;
  /** The address that clients are told. */
  readonly host: string;
  readonly port: number;
  readonly version: string;
}

export interface ClusterView {
  /** In a stable order, since clients go through it from the first. */
  readonly members: readonly Member[];
  readonly upTimeSeconds: number;
}

/** The other members, and what they serve. */
export interface Peers {
  readonly members: readonly Member[];
  /** Which of them serves a resource; undefined: this member does. */
  readonly ownerOf: (resource: string) => Member | undefined;
}

/** What a node knows of the cluster that it is part of. With the embedded engine it is alone. */
export class Cluster {
  readonly self: Member;
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #placement: Placement<Member>;
  readonly #peers: Peers | undefined;

  constructor(self: Member, clock: Clock, peers?: Peers) {
    this.self = self;
    this.#peers = peers;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#placement = new Placement([self], (member) => String(member.id));
  }

  view(): ClusterView {
    const upTimeSeconds = Math.floor((this.#clock.monotonic() - this.#startedAt) / 1_000);
    return { members: [this.self, ...(this.#peers?.members ?? [])], upTimeSeconds };
  }

  /** The member that serves a resource, whether or not the resource exists. */
  memberFor(resource: string): Member {
    const peer = this.#peers?.ownerOf(resource);
    if (peer !== undefined) return peer;
    return must(this.#placement.nodeOf(resource), "a cluster has at least this member");
  }
}
