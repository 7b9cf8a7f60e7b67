package compat;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.hstream.internal.Hstream.*;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * A consumer: first a request without acks, then acks by the hundred or every 100 ms. It comes back 5 s after
 * UNAVAILABLE, ends silently at CANCELLED, and has failed after every other status.
 */
final class Consumer implements AutoCloseable {
  final BlockingQueue<Records.Received> records = new LinkedBlockingQueue<>();
  volatile Throwable failure;
  private final Calls calls;
  private final String subscription;
  private final String name;
  private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
  private List<RecordId> acks = new ArrayList<>();
  private StreamObserver<StreamingFetchRequest> requests;
  private boolean stopped;

  Consumer(Calls calls, String subscription, String name) {
    this.calls = calls;
    this.subscription = subscription;
    this.name = name;
    connect();
    clock.scheduleAtFixedRate(this::flush, 100, 100, TimeUnit.MILLISECONDS);
  }

  private synchronized void connect() {
    if (stopped) return;
    var lookup = LookupSubscriptionRequest.newBuilder().setSubscriptionId(subscription).build();
    String node;
    try {
      node = Calls.address(calls.control(stub -> stub.lookupSubscription(lookup)).getServerNode());
    } catch (Calls.ClientException error) {
      if (!Calls.isUnavailable(error.getCause())) throw error;
      clock.schedule(this::connect, Calls.PAUSE_MS, TimeUnit.MILLISECONDS);
      return;
    }
    requests = calls.streamsAt(node).streamingFetch(new StreamObserver<>() {
      @Override
      public void onNext(StreamingFetchResponse response) {
        records.addAll(Records.decode(response.getReceivedRecords()));
      }

      @Override
      public void onError(Throwable error) {
        if (Calls.isUnavailable(error)) {
          synchronized (Consumer.this) {
            requests = null;
          }
          clock.schedule(Consumer.this::connect, Calls.PAUSE_MS, TimeUnit.MILLISECONDS);
        } else if (Status.fromThrowable(error).getCode() != Status.Code.CANCELLED) {
          failure = error;
        }
      }

      @Override
      public void onCompleted() {}
    });
    requests.onNext(request(List.of()));
  }

  synchronized void ack(RecordId id) {
    acks.add(id);
    if (acks.size() >= 100) flush();
  }

  private synchronized void flush() {
    if (acks.isEmpty() || requests == null) return;
    requests.onNext(request(acks));
    acks = new ArrayList<>();
  }

  private StreamingFetchRequest request(List<RecordId> ids) {
    return StreamingFetchRequest.newBuilder()
        .setSubscriptionId(subscription)
        .setConsumerName(name)
        .addAllAckIds(ids)
        .build();
  }

  @Override
  public synchronized void close() {
    stopped = true;
    clock.shutdownNow();
    flush();
    if (requests != null && failure == null) requests.onCompleted();
  }
}
