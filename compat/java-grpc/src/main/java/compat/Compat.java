package compat;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import io.hstream.internal.Hstream.*;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What programs do with the Java client, with the calls that it makes, against the server at HSTREAM_ADDRESS. */
public final class Compat {
  private interface Test {
    void run(Calls calls) throws Exception;
  }

  private static final BufferedReader answers = new BufferedReader(new InputStreamReader(System.in));
  private static String server;
  private static int names;

  private static final SpecialOffset EARLIEST = SpecialOffset.EARLIEST;
  private static final SpecialOffset LATEST = SpecialOffset.LATEST;

  private static String name(String kind) {
    return kind + "_" + names++;
  }

  private static void check(boolean condition, String format, Object... arguments) {
    if (!condition) throw new AssertionError(String.format(format, arguments));
  }

  private static void equal(Object found, Object expected) {
    check(Objects.equals(found, expected), "found %s, not %s", found, expected);
  }

  /** Refused with a JSON object as its text, which the client turns into an HServerException. */
  private static void refused(int code, Runnable work) {
    try {
      work.run();
    } catch (Calls.ServerException error) {
      equal(error.code, code);
      return;
    }
    throw new AssertionError("the call succeeded");
  }

  /** Refused in plain words, or an append: an HStreamDBClientException. */
  private static void failed(Status.Code status, Runnable work) {
    try {
      work.run();
    } catch (Calls.ClientException error) {
      equal(Status.fromThrowable(error.getCause()).getCode(), status);
      return;
    }
    throw new AssertionError("the call succeeded");
  }

  /** The gRPC exception as it is: of calls that the client does not wrap. */
  private static void raw(Status.Code status, Runnable work) {
    try {
      work.run();
    } catch (StatusRuntimeException error) {
      equal(error.getStatus().getCode(), status);
      return;
    }
    throw new AssertionError("the call succeeded");
  }

  private static void createStream(Calls calls, String name, int replicas, int shards, int backlogSeconds) {
    var stream = io.hstream.internal.Hstream.Stream.newBuilder()
        .setStreamName(name)
        .setReplicationFactor(replicas)
        .setShardCount(shards)
        .setBacklogDuration(backlogSeconds)
        .build();
    calls.control(stub -> stub.createStream(stream));
  }

  private static String stream(Calls calls, int shards) {
    var made = name("stream");
    createStream(calls, made, 1, shards, 86_400);
    return made;
  }

  private static void deleteStream(Calls calls, String name, boolean force) {
    var request = DeleteStreamRequest.newBuilder().setStreamName(name).setForce(force).build();
    calls.control(stub -> stub.deleteStream(request));
  }

  private static void subscribe(Calls calls, String id, String stream, SpecialOffset offset, int timeout, int unacked) {
    var subscription = Subscription.newBuilder()
        .setSubscriptionId(id)
        .setStreamName(stream)
        .setOffset(offset)
        .setAckTimeoutSeconds(timeout)
        .setMaxUnackedRecords(unacked)
        .build();
    calls.control(stub -> stub.createSubscription(subscription));
  }

  private static String subscription(Calls calls, String stream, SpecialOffset offset, int timeout) {
    var made = name("sub");
    subscribe(calls, made, stream, offset, timeout, 10_000);
    return made;
  }

  private static void deleteSubscription(Calls calls, String id, boolean force) {
    var request = DeleteSubscriptionRequest.newBuilder().setSubscriptionId(id).setForce(force).build();
    calls.subscription(id).deleteSubscription(request);
  }

  private static List<String> consumers(Calls calls, String id) {
    var request = ListConsumersRequest.newBuilder().setSubscriptionId(id).build();
    return calls.subscription(id).listConsumers(request).getConsumersList().stream()
        .map(io.hstream.internal.Hstream.Consumer::getName)
        .toList();
  }

  private static List<String> texts(String prefix, int count) {
    return IntStream.range(0, count).mapToObj(i -> String.format("%s%03d", prefix, i)).toList();
  }

  /** So many records of a consumer, acked where the condition holds. */
  private static List<String> take(Consumer consumer, int count, java.util.function.Predicate<String> acks)
      throws InterruptedException {
    var found = new ArrayList<String>();
    while (found.size() < count) {
      var record = consumer.records.poll(30, TimeUnit.SECONDS);
      check(record != null, "only %d of %d records came: %s", found.size(), count, consumer.failure);
      found.add(record.text());
      if (acks.test(record.text())) consumer.ack(record.id());
    }
    return found;
  }

  private static List<String> late(Consumer consumer, long ms) {
    Calls.sleep(ms);
    var found = new ArrayList<Records.Received>();
    consumer.records.drainTo(found);
    return found.stream().map(Records.Received::text).toList();
  }

  private static List<String> sorted(List<String> list) {
    var copy = new ArrayList<>(list);
    Collections.sort(copy);
    return copy;
  }

  private static void eventually(Runnable work) {
    for (int tries = 0; ; tries++) {
      try {
        work.run();
        return;
      } catch (RuntimeException | AssertionError error) {
        if (tries == 50) throw error;
        Calls.sleep(100);
      }
    }
  }

  private static void restart() throws IOException {
    System.out.println("@restart " + server);
    answers.readLine();
  }

  private static ShardOffset offset(SpecialOffset special) {
    return ShardOffset.newBuilder().setSpecialOffset(special).build();
  }

  private static ShardOffset offset(RecordId id) {
    return ShardOffset.newBuilder().setRecordOffset(id).build();
  }

  private static ShardOffset offset(long timeMs) {
    var time = TimestampOffset.newBuilder().setTimestampInMs(timeMs).setStrictAccuracy(true);
    return ShardOffset.newBuilder().setTimestampOffset(time).build();
  }

  /** Reader: created on the first server, looked up, read until nothing comes, deleted. */
  private static List<String> read(Calls calls, String stream, long shardId, ShardOffset from) {
    var id = name("reader");
    var create = CreateShardReaderRequest.newBuilder()
        .setStreamName(stream)
        .setShardId(shardId)
        .setShardOffset(from)
        .setReaderId(id)
        .setTimeout(100)
        .build();
    calls.control(stub -> stub.createShardReader(create));
    var lookup = LookupShardReaderRequest.newBuilder().setReaderId(id).build();
    var found = calls.control(stub -> stub.lookupShardReader(lookup));
    equal(found.getReaderId(), id);
    var node = calls.at(Calls.address(found.getServerNode()));
    var all = new ArrayList<String>();
    var request = ReadShardRequest.newBuilder().setReaderId(id).setMaxRecords(10).build();
    for (var answer = node.readShard(request);
        answer.getReceivedRecordsCount() > 0;
        answer = node.readShard(request)) {
      for (var batch : answer.getReceivedRecordsList()) {
        for (var record : Records.decode(batch)) all.add(record.text());
      }
    }
    node.deleteShardReader(DeleteShardReaderRequest.newBuilder().setReaderId(id).build());
    raw(Status.Code.FAILED_PRECONDITION, () -> node.readShard(request));
    return all;
  }

  private static Calls.Producer filled(Calls calls, String stream, List<String> texts) {
    var producer = calls.new Producer(stream);
    for (var text : texts) producer.append("", text);
    return producer;
  }

  private static final Map<String, Test> tests = new LinkedHashMap<>();

  static {
    tests.put("streams come and go", calls -> {
      var made = name("stream");
      createStream(calls, made, 3, 2, 1_800);
      var listed = calls.control(stub -> stub.listStreams(ListStreamsRequest.getDefaultInstance()));
      check(listed.getStreamsList().stream().anyMatch(each -> each.getStreamName().equals(made)), "not listed");
      var found = calls.resource(ResourceType.ResStream, made)
          .getStream(GetStreamRequest.newBuilder().setName(made).build())
          .getStream();
      equal(List.of(found.getReplicationFactor(), found.getShardCount(), found.getBacklogDuration()),
          List.of(3, 2, 1_800));
      check(found.getCreationTime().getSeconds() > 1_600_000_000L, "made %s", found.getCreationTime());
      refused(201, () -> createStream(calls, made, 1, 1, 0));
      deleteStream(calls, made, false);
      refused(200, () -> deleteStream(calls, made, false));
      refused(200, () -> deleteStream(calls, made, true));
      refused(203, () -> createStream(calls, name("stream"), 0, 1, 0));
      refused(205, () -> createStream(calls, name("stream"), 1, 0, 0));
      refused(204, () -> createStream(calls, "1_not_a_name", 1, 1, 0));
      check(failure(() -> createStream(calls, name("stream"), 1, 1, -1)), "a backlog of -1 was taken");
    });

    tests.put("of concurrent creations and deletions one succeeds", calls -> {
      var made = name("stream");
      equal(succeeded(3, () -> createStream(calls, made, 1, 1, 0)), 1L);
      equal(succeeded(3, () -> deleteStream(calls, made, false)), 1L);
    });

    tests.put("a producer needs a stream that exists, and is told in plain words", calls -> {
      failed(Status.Code.NOT_FOUND, () -> calls.new Producer("absent"));
      var producer = filled(calls, stream(calls, 1), List.of("x"));
      deleteStream(calls, producer.stream, true);
      check(failure(() -> producer.append("", "y")), "stored in a stream that is gone");
      failed(Status.Code.NOT_FOUND, () -> calls.new Producer(producer.stream));
    });

    tests.put("many single appends at a time are answered with ids", calls -> {
      var producer = calls.new Producer(stream(calls, 3));
      var ids = IntStream.range(0, 200)
          .mapToObj(i -> CompletableFuture.supplyAsync(() -> producer.append("k" + i % 7, "x" + i)))
          .toList()
          .stream()
          .map(CompletableFuture::join)
          .map(id -> id.getShardId() + "-" + id.getBatchId() + "-" + id.getBatchIndex())
          .collect(Collectors.toSet());
      equal(ids.size(), 200);
      var tail = calls.control(stub -> stub.getTailRecordId(GetTailRecordIdRequest.newBuilder()
          .setStreamName(producer.stream)
          .setShardId(producer.shards.get(0).getShardId())
          .build())).getTailRecordId();
      // The client's users compare ids as texts.
      for (var id : ids) {
        if (!id.startsWith(tail.getShardId() + "-")) continue;
        var newest = tail.getShardId() + "-" + tail.getBatchId() + "-" + tail.getBatchIndex();
        check(newest.compareTo(id.substring(0, id.lastIndexOf('-'))) >= 0, "%s is behind the tail %s", id, newest);
      }
    });

    tests.put("records that are too large are refused", calls -> {
      var producer = calls.new Producer(stream(calls, 1));
      failed(Status.Code.INVALID_ARGUMENT, () -> producer.append("", "x".repeat(1_100_000)));
      producer.append("", "x".repeat(1_000_000));
    });

    for (var compression : List.of(CompressionType.None, CompressionType.Gzip, CompressionType.Zstd)) {
      tests.put("batches by count, bytes and age, compressed by " + compression, calls -> {
        var made = stream(calls, 2);
        var subscription = subscription(calls, made, EARLIEST, 60);
        var written = texts("a text that can be compressed, a text that can be compressed ", 100);
        var batches = new HashSet<Long>();
        try (var producer = new BufferedProducer(calls.new Producer(made), compression, 10, 4_096, 100, 20_000)) {
          var done = new ArrayList<CompletableFuture<RecordId>>();
          for (int i = 0; i < written.size(); i++) {
            done.add(producer.write("k" + i % 5, Records.raw("k" + i % 5, written.get(i))));
          }
          producer.flush();
          for (var each : done) batches.add(each.join().getBatchId());
          // By age, without a flush.
          producer.write("k", Records.json("k", "{\"a\":[1.5,null,\"x\"]}")).join();
        }
        check(batches.size() >= 10, "only %d batches", batches.size());
        try (var consumer = new Consumer(calls, subscription, "one")) {
          var expected = new ArrayList<>(written);
          expected.add("{\"a\":[1.5,null,\"x\"]}");
          equal(sorted(take(consumer, 101, text -> true)), sorted(expected));
        }
      });
    }

    tests.put("a buffered producer fails its records when the stream is gone", calls -> {
      var made = stream(calls, 1);
      try (var producer = new BufferedProducer(calls.new Producer(made), CompressionType.None, 2, 4_096, 50, 1_000)) {
        producer.write("", Records.raw("", "x")).join();
        deleteStream(calls, made, false);
        try {
          producer.write("", Records.raw("", "y")).join();
          throw new AssertionError("stored");
        } catch (CompletionException error) {
          check(error.getCause() instanceof Calls.ClientException, "%s", error);
        }
      }
    });

    tests.put("subscriptions come and go", calls -> {
      var made = stream(calls, 1);
      var id = name("sub");
      subscribe(calls, id, made, EARLIEST, 7, 11);
      var request = GetSubscriptionRequest.newBuilder().setId(id).build();
      var found = calls.subscription(id).getSubscription(request).getSubscription();
      equal(List.of(found.getStreamName(), found.getAckTimeoutSeconds(), found.getMaxUnackedRecords(), found.getOffset()),
          List.of(made, 7, 11, EARLIEST));
      var listed = calls.control(stub -> stub.listSubscriptions(ListSubscriptionsRequest.getDefaultInstance()));
      check(listed.getSubscriptionList().stream().anyMatch(each -> each.getSubscriptionId().equals(id)), "not listed");
      refused(301, () -> subscribe(calls, id, made, EARLIEST, 7, 11));
      refused(302, () -> subscribe(calls, name("sub"), "absent", EARLIEST, 7, 11));
      refused(304, () -> subscribe(calls, "1", made, EARLIEST, 7, 11));
      refused(202, () -> deleteStream(calls, made, false));
      deleteSubscription(calls, id, false);
      raw(Status.Code.NOT_FOUND, () -> deleteSubscription(calls, id, false));
      raw(Status.Code.NOT_FOUND, () -> calls.subscription(id).getSubscription(request));
      raw(Status.Code.NOT_FOUND, () -> consumers(calls, id));
      deleteStream(calls, made, false);
      refused(302, () -> subscribe(calls, name("sub"), made, EARLIEST, 7, 11));
    });

    tests.put("a consumer gets what was and what comes, once it is acked", calls -> {
      var made = stream(calls, 1);
      var producer = filled(calls, made, texts("a", 10));
      var id = subscription(calls, made, EARLIEST, 2);
      try (var consumer = new Consumer(calls, id, "one")) {
        for (var text : texts("b", 10)) producer.append("", text);
        var expected = new ArrayList<>(texts("a", 10));
        expected.addAll(texts("b", 10));
        equal(take(consumer, 20, text -> true), expected);
        equal(late(consumer, 3_000), List.of());
        equal(consumers(calls, id), List.of("one"));
        raw(Status.Code.FAILED_PRECONDITION, () -> deleteSubscription(calls, id, false));
      }
      eventually(() -> equal(consumers(calls, id), List.of()));
      deleteSubscription(calls, id, false);
    });

    tests.put("latest means from now on", calls -> {
      var made = stream(calls, 2);
      filled(calls, made, List.of("before"));
      var id = subscription(calls, made, LATEST, 60);
      filled(calls, made, List.of("after"));
      try (var consumer = new Consumer(calls, id, "one")) {
        equal(take(consumer, 1, text -> true), List.of("after"));
      }
    });

    tests.put("exactly what was not acked comes again, once for each timeout", calls -> {
      var made = stream(calls, 1);
      var id = subscription(calls, made, EARLIEST, 3);
      var producer = calls.new Producer(made);
      var records = texts("x", 10).stream().map(text -> Records.raw("", text)).toList();
      producer.append(producer.shards.get(0).getShardId(), Records.batch(CompressionType.Gzip, records));
      try (var consumer = new Consumer(calls, id, "one")) {
        take(consumer, 10, text -> text.compareTo("x004") < 0);
        equal(late(consumer, 4_500), texts("x", 10).subList(4, 10));
      }
    });

    tests.put("a group shares the shards, and none gets what another has", calls -> {
      var made = stream(calls, 5);
      var id = subscription(calls, made, EARLIEST, 60);
      var group = new ArrayList<Consumer>();
      for (int i = 0; i < 5; i++) group.add(new Consumer(calls, id, "c" + i));
      eventually(() -> equal(consumers(calls, id).size(), 5));
      try (var producer = new BufferedProducer(calls.new Producer(made), CompressionType.None, 10, 4_096, 20, 100_000)) {
        for (int i = 0; i < 300; i++) producer.write("k" + i, Records.raw("k" + i, "x" + i));
      }
      var seen = new HashMap<String, Integer>();
      var shards = new HashMap<Long, TreeSet<Integer>>();
      eventually(() -> {
        for (int i = 0; i < 5; i++) {
          for (var record = group.get(i).records.poll(); record != null; record = group.get(i).records.poll()) {
            seen.merge(record.text(), 1, Integer::sum);
            shards.computeIfAbsent(record.id().getShardId(), shard -> new TreeSet<>()).add(i);
          }
        }
        equal(seen.size(), 300);
      });
      equal(new HashSet<>(seen.values()), java.util.Set.of(1));
      for (var owners : shards.values()) equal(owners.size(), 1);
      for (var consumer : group) consumer.close();
    });

    tests.put("another of the group gets what one that left had not acked", calls -> {
      var made = stream(calls, 1);
      var id = subscription(calls, made, EARLIEST, 2);
      filled(calls, made, texts("x", 10));
      var first = new Consumer(calls, id, "first");
      take(first, 10, text -> text.compareTo("x004") < 0);
      Calls.sleep(300);
      first.close();
      try (var second = new Consumer(calls, id, "second")) {
        equal(sorted(take(second, 6, text -> true)), texts("x", 10).subList(4, 10));
        equal(late(second, 2_500), List.of());
      }
    });

    tests.put("a slow consumer is held back", calls -> {
      var made = stream(calls, 1);
      var id = name("sub");
      subscribe(calls, id, made, EARLIEST, 60, 10);
      filled(calls, made, texts("x", 200));
      try (var consumer = new Consumer(calls, id, "one")) {
        var found = late(consumer, 1_000).size();
        check(found >= 10 && found < 200, "%d records without an ack", found);
      }
    });

    tests.put("consumers are refused, and sent away", calls -> {
      var made = stream(calls, 1);
      var id = subscription(calls, made, EARLIEST, 60);
      var first = new Consumer(calls, id, "same");
      eventually(() -> equal(consumers(calls, id), List.of("same")));
      var second = new Consumer(calls, id, "same");
      eventually(() -> equal(code(second.failure), Status.Code.ALREADY_EXISTS));
      var lost = new Consumer(calls, name("absent"), "one");
      eventually(() -> equal(code(lost.failure), Status.Code.NOT_FOUND));
      deleteSubscription(calls, id, true);
      eventually(() -> equal(code(first.failure), Status.Code.ABORTED));
      for (var consumer : List.of(first, second, lost)) consumer.close();
    });

    tests.put("a stream that was deleted by force still feeds its subscriptions", calls -> {
      var made = stream(calls, 1);
      filled(calls, made, List.of("kept"));
      var id = subscription(calls, made, EARLIEST, 60);
      deleteStream(calls, made, true);
      createStream(calls, made, 1, 1, 0);
      try (var consumer = new Consumer(calls, id, "one")) {
        equal(take(consumer, 1, text -> true), List.of("kept"));
      }
    });

    tests.put("readers begin at every kind of offset", calls -> {
      var made = stream(calls, 1);
      var producer = filled(calls, made, List.of("a", "b"));
      Calls.sleep(10);
      var between = System.currentTimeMillis();
      Calls.sleep(10);
      var c = producer.append("", "c");
      var shard = c.getShardId();
      equal(read(calls, made, shard, offset(EARLIEST)), List.of("a", "b", "c"));
      equal(read(calls, made, shard, offset(LATEST)), List.of());
      equal(read(calls, made, shard, offset(c)), List.of("c"));
      equal(read(calls, made, shard, offset(between)), List.of("c"));
      equal(read(calls, made, shard, offset(0)), List.of("a", "b", "c"));
      refused(901, () -> read(calls, made, shard, offset(c.toBuilder().setShardId(shard + 1).build())));
      refused(0, () -> read(calls, made, 1, offset(EARLIEST)));
      refused(208, () -> read(calls, made, shard, ShardOffset.getDefaultInstance()));
    });

    tests.put("a shard is read as a stream, from one offset to another", calls -> {
      var made = stream(calls, 1);
      var producer = calls.new Producer(made);
      var ids = texts("x", 20).stream().map(text -> producer.append("", text)).toList();
      var shard = ids.get(0).getShardId();
      equal(streamShard(calls, shard, offset(EARLIEST), offset(LATEST), 0), texts("x", 20));
      equal(streamShard(calls, shard, offset(ids.get(3)), offset(ids.get(5)), 0), texts("x", 20).subList(3, 6));
      equal(streamShard(calls, shard, offset(EARLIEST), null, 7), texts("x", 20).subList(0, 7));
      equal(streamShard(calls, shard, offset(0), offset(System.currentTimeMillis() + 1_000), 0), texts("x", 20));
      raw(Status.Code.INVALID_ARGUMENT, () -> streamShard(calls, shard, offset(ids.get(5)), offset(ids.get(3)), 0));
      equal(streamShard(calls, calls.new Producer(stream(calls, 1)).shards.get(0).getShardId(), offset(EARLIEST),
          offset(LATEST), 0), List.of());
    });

    tests.put("the records of a key are read, as many as asked for", calls -> {
      var made = stream(calls, 3);
      var producer = calls.new Producer(made);
      for (int i = 0; i < 90; i++) producer.append("k" + i % 9, "x" + i);
      var expected = IntStream.range(0, 90).filter(i -> i % 9 == 4).mapToObj(i -> "x" + i).toList();
      equal(readKey(calls, made, "k4", 3), expected);
      equal(readKey(calls, made, "absent", 3), List.of());
    });

    tests.put("streams and shards are trimmed", calls -> {
      var made = stream(calls, 1);
      var producer = calls.new Producer(made);
      var ids = texts("x", 10).stream().map(text -> producer.append("", text)).toList();
      var shard = ids.get(0).getShardId();
      var upTo = TrimShardRequest.newBuilder().setStreamName(made).setShardId(shard).setTrimPoint(offset(ids.get(3))).build();
      calls.control(stub -> stub.trimShard(upTo));
      equal(read(calls, made, shard, offset(EARLIEST)), texts("x", 10).subList(4, 10));
      var all = TrimStreamRequest.newBuilder()
          .setStreamName(made)
          .setTrimPoint(StreamOffset.newBuilder().setSpecialOffset(LATEST))
          .build();
      calls.control(stub -> stub.trimStream(all));
      equal(read(calls, made, shard, offset(EARLIEST)), List.of());
      refused(200, () -> calls.control(stub -> stub.trimStream(all.toBuilder().setStreamName("absent").build())));
      refused(208, () -> calls.control(stub -> stub.trimStream(all.toBuilder().clearTrimPoint().build())));
    });

    tests.put("views are asked, where they are", calls -> {
      var made = stream(calls, 1);
      var view = name("view");
      var producer = calls.new Producer(made);
      for (int i = 0; i < 6; i++) producer.append("", Records.json("", "{\"k\":\"" + "ab".charAt(i % 2) + "\",\"n\":" + i + "}"));
      var create = CreateQueryRequest.newBuilder()
          .setSql("CREATE VIEW " + view + " AS SELECT k, SUM(n) AS total FROM " + made + " GROUP BY k;")
          .setQueryName(name("query"))
          .build();
      calls.control(stub -> stub.createQuery(create));
      check(calls.control(stub -> stub.listViews(ListViewsRequest.getDefaultInstance())).getViewsList().stream()
          .anyMatch(each -> each.getViewId().equals(view)), "the view is not listed");
      var sql = "SELECT * FROM " + view + " WHERE k = 'a';";
      var parsed = calls.control(stub -> stub.parseSql(ParseSqlRequest.newBuilder().setSql(sql).build()));
      equal(parsed.getEvqSql().getView(), view);
      var request = ExecuteViewQueryRequest.newBuilder().setSql(sql).build();
      eventually(() -> {
        var rows = calls.resource(ResourceType.ResView, view).executeViewQuery(request).getResultsList();
        equal(rows.size(), 1);
        equal(rows.get(0).getFieldsOrThrow("total").getNumberValue(), 6.0);
      });
      calls.control(stub -> stub.deleteView(DeleteViewRequest.newBuilder().setViewId(view).build()));
      check(failure(() -> calls.resource(ResourceType.ResView, view)), "a view that is gone was found");
    });

    tests.put("queries and connectors are refused in words that programs read", calls -> {
      refused(402, () -> calls.control(stub -> stub.createQuery(
          CreateQueryRequest.newBuilder().setSql("SELECT FROM WHERE").setQueryName(name("query")).build())));
      refused(400, () -> calls.control(stub -> stub.getQuery(GetQueryRequest.newBuilder().setId("absent").build())));
      refused(600, () -> calls.control(
          stub -> stub.getConnector(GetConnectorRequest.newBuilder().setName("absent").build())));
      refused(602, () -> calls.control(stub -> stub.createConnector(CreateConnectorRequest.newBuilder()
          .setName(name("connector")).setType("NEITHER").setTarget("mysql").setConfig("{}").build())));
      refused(605, () -> calls.control(stub -> stub.createConnector(CreateConnectorRequest.newBuilder()
          .setName(name("connector")).setType("SINK").setTarget("nowhere").setConfig("{}").build())));
    });

    tests.put("a restart loses nothing; the consumer and the producer come back by themselves", calls -> {
      var made = stream(calls, 2);
      var id = subscription(calls, made, EARLIEST, 600);
      var producer = calls.new Producer(made);
      for (int i = 0; i < 50; i++) producer.append("k" + i, String.format("a%03d", i));
      try (var consumer = new Consumer(calls, id, "one")) {
        take(consumer, 50, text -> text.compareTo("a025") < 0);
        Calls.sleep(500);
        restart();
        for (int i = 0; i < 10; i++) producer.append("k" + i, String.format("b%03d", i));
        var expected = new ArrayList<>(texts("a", 50).subList(25, 50));
        expected.addAll(texts("b", 10));
        equal(sorted(take(consumer, 35, text -> true)), expected);
      }
    });

    tests.put("what was under way in a restart is stored in the end", calls -> {
      var made = stream(calls, 1);
      var producer = calls.new Producer(made);
      var done = new ArrayList<CompletableFuture<RecordId>>();
      try (var buffered = new BufferedProducer(producer, CompressionType.None, 5, 4_096, 10, 100_000)) {
        for (int i = 0; i < 200; i++) {
          if (i == 100) restart();
          done.add(buffered.write("", Records.raw("", String.format("x%03d", i))));
        }
        for (var each : done) each.join();
      }
      var found = read(calls, made, producer.shards.get(0).getShardId(), offset(EARLIEST));
      equal(new ArrayList<>(new TreeSet<>(found)), texts("x", 200));
    });
  }

  private static boolean failure(Runnable work) {
    try {
      work.run();
      return false;
    } catch (RuntimeException error) {
      return true;
    }
  }

  /** How many of several at a time succeed. */
  private static long succeeded(int count, Runnable work) {
    return IntStream.range(0, count)
        .mapToObj(i -> CompletableFuture.supplyAsync(() -> !failure(work)))
        .toList()
        .stream()
        .filter(CompletableFuture::join)
        .count();
  }

  private static Status.Code code(Throwable error) {
    return error == null ? Status.Code.OK : Status.fromThrowable(error).getCode();
  }

  /** StreamShardReader: looked up by a random id, and without the stream's name. */
  private static List<String> streamShard(Calls calls, long shard, ShardOffset from, ShardOffset until, long batches) {
    var id = UUID.randomUUID().toString();
    var lookup = LookupShardReaderRequest.newBuilder().setReaderId(id).build();
    var node = Calls.address(calls.control(stub -> stub.lookupShardReader(lookup)).getServerNode());
    var request = ReadShardStreamRequest.newBuilder().setReaderId(id).setShardId(shard).setFrom(from).setMaxReadBatches(batches);
    if (until != null) request.setUntil(until);
    var found = new ArrayList<String>();
    calls.at(node).readShardStream(request.build()).forEachRemaining(answer -> {
      for (var batch : answer.getReceivedRecordsList()) {
        for (var record : Records.decode(batch)) found.add(record.text());
      }
    });
    return found;
  }

  /** StreamKeyReader: so many records to begin with, and one more for each that was taken. */
  private static List<String> readKey(Calls calls, String stream, String key, int ahead) throws InterruptedException {
    var node = Calls.address(calls.control(stub -> stub.lookupKey(LookupKeyRequest.newBuilder().setPartitionKey(key).build())));
    var arrived = new LinkedBlockingQueue<List<HStreamRecord>>();
    var end = new ArrayList<HStreamRecord>();
    var requests = calls.streamsAt(node).readStreamByKey(new StreamObserver<>() {
      @Override
      public void onNext(ReadStreamByKeyResponse answer) {
        equal(answer.getRecordIdsCount(), answer.getReceivedRecordsCount());
        arrived.add(answer.getReceivedRecordsList());
      }

      @Override
      public void onError(Throwable error) {
        arrived.add(end);
      }

      @Override
      public void onCompleted() {
        arrived.add(end);
      }
    });
    requests.onNext(ReadStreamByKeyRequest.newBuilder()
        .setReaderId(name("reader"))
        .setStreamName(stream)
        .setKey(key)
        .setFrom(offset(EARLIEST))
        .setUntil(offset(LATEST))
        .setReadRecordCount(ahead)
        .build());
    var found = new ArrayList<String>();
    for (var records = arrived.poll(10, TimeUnit.SECONDS); records != end; records = arrived.poll(10, TimeUnit.SECONDS)) {
      check(records != null, "the reading did not end: %s", found);
      for (var record : records) {
        equal(record.getHeader().getKey(), key);
        found.add(record.getPayload().toStringUtf8());
        requests.onNext(ReadStreamByKeyRequest.newBuilder().setReadRecordCount(1).build());
      }
    }
    return found;
  }

  public static void main(String[] arguments) {
    var secrets = System.getenv("HSTREAM_SECRETS");
    int passed = 0;
    int failures = 0;
    for (var secure : List.of(false, true)) {
      server = secure ? "secure" : "open";
      var how = secure ? "TLS and a token" : "plain";
      var url = secure
          ? "hstreams://" + System.getenv("HSTREAM_SECURE_ADDRESS")
          : "hstream://127.0.0.1:1," + System.getenv("HSTREAM_ADDRESS");
      var token = secure ? System.getenv("HSTREAM_TOKEN") : null;
      try (var calls = new Calls(url, secrets + "/ca.crt", token)) {
        for (var test : tests.entrySet()) {
          if (arguments.length > 0 && !test.getKey().contains(arguments[0])) continue;
          try {
            test.getValue().run(calls);
            passed++;
            System.out.println("ok      " + test.getKey() + " (" + how + ")");
          } catch (Exception | AssertionError error) {
            failures++;
            System.out.println("FAILED  " + test.getKey() + " (" + how + "): " + error);
            Arrays.stream(error.getStackTrace()).limit(6).forEach(line -> System.out.println("        " + line));
          }
        }
      }
    }
    System.out.println(passed + " passed, " + failures + " failed");
    System.exit(failures > 0 ? 1 : 0);
  }
}
