import type { ServerDuplexStream } from "@grpc/grpc-js";
import { HStreamApiService, type Malformed } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { Delivery } from "../streams/delivery.js";
import type { Attachment } from "../subscription/subscription-driver.js";
import type { SubscriptionService } from "../subscription/subscription-service.js";
import { dispatchOf, uriOf, userAgentOf } from "./call-metadata.js";
import {
  decodeFetchRequest,
  deliveryBytes,
  encodePassingDelivery,
  type FetchRequestParts,
} from "./fetch-codec.js";
import type { Handlers } from "./handlers.js";
import { Outgoing } from "./outgoing.js";
import { refuseMalformed } from "./tolerant.js";

/** StreamingFetch with its hand-made codec: deliveries are encoded where their size is known. */
export const fetchMethod = {
  ...HStreamApiService.streamingFetch,
  requestDeserialize: decodeFetchRequest,
  responseSerialize: encodePassingDelivery,
};

type FetchCall = ServerDuplexStream<FetchRequestParts | Malformed, Delivery>;

/**
 * StreamingFetch: the first request makes the caller a consumer, later ones carry acks. The stream
 * ends with UNAVAILABLE when the server goes, which is what clients come back after.
 */
export function fetchRpc(handlers: Handlers, subscriptions: SubscriptionService) {
  return { streamingFetch: (call: FetchCall) => new FetchSession(handlers, subscriptions, call).begin() };
}

class FetchSession {
  readonly #handlers: Handlers;
  readonly #subscriptions: SubscriptionService;
  readonly #call: FetchCall;
  readonly #outgoing: Outgoing<Delivery>;
  readonly #leave: () => void;
  #attachment: Attachment | undefined;
  #begun = false;
  #over = false;

  constructor(handlers: Handlers, subscriptions: SubscriptionService, call: FetchCall) {
    this.#handlers = handlers;
    this.#subscriptions = subscriptions;
    this.#call = call;
    this.#outgoing = new Outgoing(call, () => this.#attachment?.ready());
    this.#leave = handlers.enter(() => this.#fail(new HStreamError("ShuttingDown", {})));
  }

  begin(): void {
    const call = this.#call;
    call.on("data", (request: FetchRequestParts | Malformed) => {
      this.#take(request).catch((error: unknown) => this.#fail(error));
    });
    call.on("end", () => this.#end());
    call.on("cancelled", () => {
      this.#outgoing.abandon();
      this.#end();
    });
    // A connection that breaks is reported here too; there is nobody left to tell.
    call.on("error", () => this.#end());
  }

  async #take(request: FetchRequestParts | Malformed): Promise<void> {
    refuseMalformed(request);
    this.#handlers.refuseWhenClosing();
    const max = limits.acksPerRequestMax;
    if (request.ackCount > max) throw new HStreamError("TooManyAcks", { count: request.ackCount, max });
    if (!this.#begun) await this.#attach(request);
    if (request.ackCount > 0) this.#attachment?.ackRuns(request.acks);
  }

  async #attach({ subscriptionId, consumerName }: FetchRequestParts): Promise<void> {
    this.#begun = true;
    if (consumerName === "") throw new HStreamError("MissingConsumerName", {});
    // Acks that come while the subscription is being started wait until it is.
    this.#call.pause();
    const consumer = {
      name: consumerName,
      uri: uriOf(this.#call),
      userAgent: userAgentOf(this.#call),
      deliver: (delivery: Delivery) => this.#outgoing.send(delivery, deliveryBytes(delivery)),
      end: (reason: HStreamError) => this.#fail(reason),
    };
    const attachment = await this.#subscriptions.attach(
      subscriptionId,
      consumer,
      dispatchOf(this.#call.metadata),
    );
    if (this.#over) attachment.detach();
    else this.#attachment = attachment;
    this.#call.resume();
  }

  /** The caller is done, or gone. */
  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#attachment?.detach();
    this.#outgoing.end();
    this.#leave();
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#attachment?.detach();
    this.#outgoing.fail(this.#handlers.calls.statusOf(error, this.#call));
    this.#leave();
  }
}
