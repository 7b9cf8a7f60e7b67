package compat;

import com.github.luben.zstd.Zstd;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Struct;
import com.google.protobuf.util.JsonFormat;
import io.hstream.internal.Hstream.*;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/** Records and batches, as the Java client makes and reads them. */
final class Records {
  private Records() {}

  /** A record that arrived. */
  record Received(RecordId id, HStreamRecord record) {
    String text() {
      if (record.getHeader().getFlag() == HStreamRecordHeader.Flag.RAW) {
        return record.getPayload().toStringUtf8();
      }
      try {
        return JsonFormat.printer().omittingInsignificantWhitespace().print(Struct.parseFrom(record.getPayload()));
      } catch (InvalidProtocolBufferException error) {
        throw new Calls.ClientException(error);
      }
    }
  }

  static HStreamRecord raw(String key, String text) {
    return record(HStreamRecordHeader.Flag.RAW, key, ByteString.copyFromUtf8(text));
  }

  /** An HRecord, from JSON. */
  static HStreamRecord json(String key, String json) {
    var fields = Struct.newBuilder();
    try {
      JsonFormat.parser().merge(json, fields);
    } catch (InvalidProtocolBufferException error) {
      throw new IllegalArgumentException(error);
    }
    return record(HStreamRecordHeader.Flag.JSON, key, fields.build().toByteString());
  }

  private static HStreamRecord record(HStreamRecordHeader.Flag flag, String key, ByteString payload) {
    var header = HStreamRecordHeader.newBuilder().setFlag(flag).setKey(key);
    return HStreamRecord.newBuilder().setHeader(header).setPayload(payload).build();
  }

  static BatchedRecord batch(CompressionType compression, List<HStreamRecord> records) {
    var plain = BatchHStreamRecords.newBuilder().addAllRecords(records).build().toByteArray();
    return BatchedRecord.newBuilder()
        .setCompressionType(compression)
        .setBatchSize(records.size())
        .setPayload(ByteString.copyFrom(compress(compression, plain)))
        .build();
  }

  private static byte[] compress(CompressionType compression, byte[] plain) {
    switch (compression) {
      case Gzip -> {
        var target = new ByteArrayOutputStream();
        try (var gzip = new GZIPOutputStream(target)) {
          gzip.write(plain);
        } catch (IOException error) {
          throw new IllegalStateException(error);
        }
        return target.toByteArray();
      }
      case Zstd -> {
        return Zstd.compress(plain);
      }
      default -> {
        return plain;
      }
    }
  }

  /** The records of a delivery. As in the Java client, zstd may not grow beyond its compressed size. */
  static List<Received> decode(ReceivedRecord received) {
    var batch = received.getRecord();
    try {
      var records = BatchHStreamRecords.parseFrom(inflate(batch)).getRecordsList();
      if (records.size() != received.getRecordIdsCount()) {
        throw new IllegalStateException(records.size() + " records with " + received.getRecordIdsCount() + " ids");
      }
      var found = new ArrayList<Received>();
      for (int i = 0; i < records.size(); i++) found.add(new Received(received.getRecordIds(i), records.get(i)));
      return found;
    } catch (IOException error) {
      throw new Calls.ClientException(error);
    }
  }

  private static byte[] inflate(BatchedRecord batch) throws IOException {
    var payload = batch.getPayload().toByteArray();
    switch (batch.getCompressionType()) {
      case None -> {
        return payload;
      }
      case Gzip -> {
        try (var gzip = new GZIPInputStream(new ByteArrayInputStream(payload))) {
          return gzip.readAllBytes();
        }
      }
      case Zstd -> {
        var target = new byte[payload.length];
        var size = Zstd.decompress(target, payload);
        if (Zstd.isError(size)) throw new IOException("zstd: " + Zstd.getErrorName(size));
        return java.util.Arrays.copyOf(target, (int) size);
      }
      default -> throw new IOException("unknown compression");
    }
  }
}
