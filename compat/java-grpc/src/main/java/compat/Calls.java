package compat;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import com.google.protobuf.ByteString;
import com.google.protobuf.Empty;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import io.hstream.internal.HStreamApiGrpc;
import io.hstream.internal.HStreamApiGrpc.HStreamApiBlockingStub;
import io.hstream.internal.Hstream.*;
import java.io.File;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * The calls that HStreamDB's Java client 0.17.0 makes, in its order, with its deadlines and its reactions to
 * errors, on plain grpc-java. It is not that client: see README.md.
 */
final class Calls implements AutoCloseable {
  /** A refusal with a JSON object as its text: what a server of HStreamDB says itself. */
  static final class ServerException extends RuntimeException {
    final int code;

    ServerException(int code, String message) {
      super(message);
      this.code = code;
    }
  }

  /** Every other failure, and all failures of appends, consumers and readers. */
  static final class ClientException extends RuntimeException {
    ClientException(Throwable cause) {
      super(cause.getMessage(), cause);
    }
  }

  static final long PAUSE_MS = 5_000;
  static final int APPEND_TRIES = 5;

  final List<String> urls;
  private final String certificates;
  private final Metadata headers = new Metadata();
  private final Map<String, ManagedChannel> channels = new ConcurrentHashMap<>();

  /** `hstream://h1:p1,h2:p2`, or `hstreams://…` with the file of the authority's certificate. */
  Calls(String url, String certificates, String token) {
    this.certificates = url.startsWith("hstreams://") ? certificates : null;
    if (token != null) {
      headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Basic " + token);
    }
    var bootstrap = Arrays.asList(url.substring(url.indexOf("://") + 3).split(","));
    urls = describe(bootstrap);
  }

  private List<String> describe(List<String> bootstrap) {
    for (int i = 0; ; i++) {
      try {
        var nodes = new ArrayList<String>();
        var answer = at(bootstrap.get(i)).describeCluster(Empty.getDefaultInstance());
        for (var node : answer.getServerNodesList()) nodes.add(node.getHost() + ":" + node.getPort());
        return nodes;
      } catch (StatusRuntimeException error) {
        if (!isUnavailable(error) || i == bootstrap.size() - 1) {
          close();
          throw new ClientException(error);
        }
        pause();
      }
    }
  }

  ManagedChannel channel(String address) {
    return channels.computeIfAbsent(address, target -> {
      try {
        var credentials = certificates == null
            ? InsecureChannelCredentials.create()
            : TlsChannelCredentials.newBuilder().trustManager(new File(certificates)).build();
        return Grpc.newChannelBuilder(target, credentials)
            .userAgent("hstreamdb-java/0.17.0")
            .disableRetry()
            .intercept(MetadataUtils.newAttachHeadersInterceptor(headers))
            .build();
      } catch (java.io.IOException error) {
        throw new ClientException(error);
      }
    });
  }

  HStreamApiBlockingStub at(String address) {
    return HStreamApiGrpc.newBlockingStub(channel(address));
  }

  HStreamApiGrpc.HStreamApiStub streamsAt(String address) {
    return HStreamApiGrpc.newStub(channel(address));
  }

  /** A control call: to the first server, with a deadline; its refusal is of one of the two kinds. */
  <T> T control(Function<HStreamApiBlockingStub, T> call) {
    try {
      return call.apply(at(urls.get(0)).withDeadlineAfter(5, SECONDS));
    } catch (StatusRuntimeException error) {
      throw refusal(error);
    }
  }

  static RuntimeException refusal(StatusRuntimeException error) {
    var text = error.getStatus().getDescription();
    try {
      JsonElement body = JsonParser.parseString(text == null ? "" : text);
      if (body.isJsonObject()) {
        var object = body.getAsJsonObject();
        return new ServerException(object.get("error").getAsInt(), object.get("message").getAsString());
      }
    } catch (RuntimeException notJson) {
      return new ClientException(error);
    }
    return new ClientException(error);
  }

  static boolean isUnavailable(Throwable error) {
    return error instanceof StatusRuntimeException failure
        && failure.getStatus().getCode() == Status.Code.UNAVAILABLE;
  }

  static void pause() {
    sleep(PAUSE_MS);
  }

  static void sleep(long ms) {
    try {
      Thread.sleep(ms);
    } catch (InterruptedException error) {
      throw new IllegalStateException(error);
    }
  }

  static String address(ServerNode node) {
    return node.getHost() + ":" + node.getPort();
  }

  /** Where an object of the cluster is, before the call that is about it. */
  HStreamApiBlockingStub resource(ResourceType type, String id) {
    var request = LookupResourceRequest.newBuilder().setResType(type).setResId(id).build();
    return at(address(control(stub -> stub.lookupResource(request))));
  }

  HStreamApiBlockingStub subscription(String id) {
    var request = LookupSubscriptionRequest.newBuilder().setSubscriptionId(id).build();
    return at(address(control(stub -> stub.lookupSubscription(request)).getServerNode()));
  }

  /** The shard whose range holds the MD5 sum of the key. */
  static long shardOf(List<Shard> shards, String key) {
    BigInteger hash;
    try {
      var sum = MessageDigest.getInstance("MD5").digest(key.getBytes(StandardCharsets.UTF_8));
      hash = new BigInteger(1, sum);
    } catch (java.security.NoSuchAlgorithmException error) {
      throw new IllegalStateException(error);
    }
    for (var shard : shards) {
      var start = new BigInteger(shard.getStartHashRangeKey());
      var end = new BigInteger(shard.getEndHashRangeKey());
      if (hash.compareTo(start) >= 0 && hash.compareTo(end) <= 0) return shard.getShardId();
    }
    throw new IllegalStateException("no shard takes " + key);
  }

  @Override
  public void close() {
    for (var channel : channels.values()) channel.shutdownNow();
  }

  /** Appends of a producer: any number at a time, each at the node that its shard was found at. */
  final class Producer {
    final String stream;
    final List<Shard> shards;
    private final Map<Long, String> nodes = new ConcurrentHashMap<>();

    Producer(String stream) {
      this.stream = stream;
      var request = ListShardsRequest.newBuilder().setStreamName(stream).build();
      shards = control(stub -> stub.listShards(request)).getShardsList();
    }

    /** Stores a batch; tries again when the server is not available. */
    List<RecordId> append(long shardId, BatchedRecord batch) {
      var request =
          AppendRequest.newBuilder().setStreamName(stream).setShardId(shardId).setRecords(batch).build();
      for (int tries = 1; ; tries++) {
        try {
          var node = nodes.computeIfAbsent(shardId, this::lookup);
          ListenableFuture<AppendResponse> answer = HStreamApiGrpc.newFutureStub(channel(node))
              .withDeadlineAfter(5_000, MILLISECONDS)
              .append(request);
          return answer.get().getRecordIdsList();
        } catch (InterruptedException error) {
          throw new IllegalStateException(error);
        } catch (java.util.concurrent.ExecutionException error) {
          if (!isUnavailable(error.getCause()) || tries == APPEND_TRIES) {
            throw new ClientException(error.getCause());
          }
        } catch (ClientException error) {
          if (!isUnavailable(error.getCause()) || tries == APPEND_TRIES) throw error;
        }
        nodes.remove(shardId);
        pause();
      }
    }

    RecordId append(String key, HStreamRecord record) {
      return append(shardOf(shards, key), Records.batch(CompressionType.None, List.of(record))).get(0);
    }

    RecordId append(String key, String text) {
      return append(key, Records.raw(key, text));
    }

    private String lookup(long shardId) {
      var request = LookupShardRequest.newBuilder().setShardId(shardId).build();
      return address(control(stub -> stub.lookupShard(request)).getServerNode());
    }
  }

  static ByteString bytes(String text) {
    return ByteString.copyFromUtf8(text);
  }
}
