package compat;

import io.hstream.internal.Hstream.*;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/** Batches per shard: by count, bytes and age; one append of a shard under way at a time. */
final class BufferedProducer implements AutoCloseable {
  private record Waiting(HStreamRecord record, CompletableFuture<RecordId> done) {}

  private static final class Queue {
    List<Waiting> open = new ArrayList<>();
    int openBytes;
    final ExecutorService sender = Executors.newSingleThreadExecutor();
  }

  private final Calls.Producer producer;
  private final CompressionType compression;
  private final int recordsMax;
  private final int bytesMax;
  private final int ageMs;
  private final Semaphore flow;
  private final Map<Long, Queue> queues = new HashMap<>();
  private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();

  BufferedProducer(Calls.Producer producer, CompressionType compression, int recordsMax, int bytesMax, int ageMs,
      int bytesInFlightMax) {
    this.producer = producer;
    this.compression = compression;
    this.recordsMax = recordsMax;
    this.bytesMax = bytesMax;
    this.ageMs = ageMs;
    flow = new Semaphore(bytesInFlightMax);
  }

  CompletableFuture<RecordId> write(String key, HStreamRecord record) {
    flow.acquireUninterruptibly(record.getSerializedSize());
    var waiting = new Waiting(record, new CompletableFuture<>());
    synchronized (this) {
      var shardId = Calls.shardOf(producer.shards, key);
      var queue = queues.computeIfAbsent(shardId, id -> new Queue());
      if (queue.open.isEmpty()) clock.schedule(() -> flush(shardId), ageMs, TimeUnit.MILLISECONDS);
      queue.open.add(waiting);
      queue.openBytes += record.getSerializedSize();
      if (queue.open.size() >= recordsMax || queue.openBytes >= bytesMax) send(shardId, queue);
    }
    return waiting.done;
  }

  void flush() {
    for (var id : List.copyOf(queues.keySet())) flush(id);
  }

  private synchronized void flush(long shardId) {
    var queue = queues.get(shardId);
    if (!queue.open.isEmpty()) send(shardId, queue);
  }

  private void send(long shardId, Queue queue) {
    var batch = queue.open;
    queue.open = new ArrayList<>();
    queue.openBytes = 0;
    queue.sender.execute(() -> {
      try {
        var records = batch.stream().map(Waiting::record).toList();
        var ids = producer.append(shardId, Records.batch(compression, records));
        for (int i = 0; i < batch.size(); i++) batch.get(i).done.complete(ids.get(i));
      } catch (RuntimeException error) {
        for (var each : batch) each.done.completeExceptionally(error);
      }
      for (var each : batch) flow.release(each.record.getSerializedSize());
    });
  }

  @Override
  public void close() {
    flush();
    clock.shutdown();
    for (var queue : queues.values()) queue.sender.shutdown();
  }
}
