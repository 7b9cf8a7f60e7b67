// Every feature of the Go client of HStreamDB, against the server at HSTREAM_ADDRESS.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"
	"time"

	"github.com/hstreamdb/hstreamdb-go/hstream"
	"github.com/hstreamdb/hstreamdb-go/hstream/Record"
	"github.com/hstreamdb/hstreamdb-go/hstream/compression"
	"github.com/hstreamdb/hstreamdb-go/util"
	pkgerrors "github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
)

// How the tests reach a server: plainly, and over TLS with a certificate of the client's (this client knows
// no tokens). Every test is run over both.
type connection struct {
	name, server, address, scheme string
	options                       []hstream.TLSOps
}

func secret(name string) string { return os.Getenv("HSTREAM_SECRETS") + "/" + name }

var plain = connection{name: "plain", server: "open", address: os.Getenv("HSTREAM_ADDRESS"), scheme: "hstream"}
var mutual = connection{name: "TLS and a certificate", server: "mutual", address: os.Getenv("HSTREAM_MUTUAL_ADDRESS"),
	scheme: "hstreams", options: []hstream.TLSOps{hstream.WithCaCert(secret("ca.crt")),
		hstream.WithClientCert(secret("client.crt")), hstream.WithClientKey(secret("client.key"))}}

var current = plain
var address = plain.address
var answers = bufio.NewReader(os.Stdin)
var names = 0

func name(kind string) string {
	names++
	return fmt.Sprintf("%s_%d", kind, names)
}

// A failed check ends its test.
type failure string

func check(condition bool, format string, args ...any) {
	if !condition {
		panic(failure(fmt.Sprintf(format, args...)))
	}
}

func ok(err error) { check(err == nil, "%v", err) }

func equal(found, expected any) {
	check(reflect.DeepEqual(found, expected), "found %v, not %v", found, expected)
}

func refused(err error, code codes.Code) {
	check(err != nil, "the call succeeded")
	found := status.Code(pkgerrors.Cause(err))
	check(found == code, "%v, not %v: %v", found, code, err)
}

func connect() *hstream.HStreamClient {
	client, err := hstream.NewHStreamClient(current.scheme+"://"+address, current.options...)
	ok(err)
	return client
}

func restart() {
	fmt.Println("@restart " + current.server)
	_, err := answers.ReadString('\n')
	ok(err)
}

func failed(err error, text string) {
	check(err != nil && strings.Contains(err.Error(), text), "%v, not %q", err, text)
}

func stream(client *hstream.HStreamClient, opts ...hstream.StreamOpts) string {
	made := name("stream")
	ok(client.CreateStream(made, opts...))
	return made
}

func raw(key, text string) Record.HStreamRecord {
	record, err := Record.NewHStreamRawRecord(key, []byte(text))
	ok(err)
	return record
}

// Appends records one by one.
func produce(client *hstream.HStreamClient, stream string, texts ...string) []Record.RecordId {
	producer, err := client.NewProducer(stream)
	ok(err)
	defer producer.Stop()
	ids := []Record.RecordId{}
	for _, text := range texts {
		id, err := producer.Append(raw("", text)).Ready()
		ok(err)
		ids = append(ids, id)
	}
	return ids
}

func texts(prefix string, count int) []string {
	all := []string{}
	for i := 0; i < count; i++ {
		all = append(all, fmt.Sprintf("%s%03d", prefix, i))
	}
	return all
}

func textOf(record Record.ReceivedRecord) string {
	switch payload := record.GetPayload().(type) {
	case []byte:
		return string(payload)
	case *structpb.Struct:
		encoded, err := json.Marshal(payload.AsMap())
		ok(err)
		return string(encoded)
	}
	panic(failure("a record of an unknown type"))
}

// Takes records until there are so many, acking those that `acks` accepts.
func collect(channel chan hstream.FetchRecords, count int, acks func(string) bool) []string {
	found := []string{}
	deadline := time.After(30 * time.Second)
	for len(found) < count {
		select {
		case fetched, open := <-channel:
			check(open, "the consumer ended with %d of %d records", len(found), count)
			ok(fetched.Err)
			for _, record := range fetched.Result {
				text := textOf(record)
				found = append(found, text)
				if acks(text) {
					record.Ack()
				}
			}
		case <-deadline:
			panic(failure(fmt.Sprintf("only %d of %d records came", len(found), count)))
		}
	}
	return found
}

func all(string) bool  { return true }
func none(string) bool { return false }

// What still comes within a time.
func late(channel chan hstream.FetchRecords, wait time.Duration) []string {
	found := []string{}
	deadline := time.After(wait)
	for {
		select {
		case fetched, open := <-channel:
			if !open {
				return found
			}
			for _, record := range fetched.Result {
				found = append(found, textOf(record))
			}
		case <-deadline:
			return found
		}
	}
}

func sorted(list []string) []string {
	sort.Strings(list)
	return list
}

type test struct {
	title string
	run   func(client *hstream.HStreamClient)
}

var tests = []test{
	{"streams come and go", func(client *hstream.HStreamClient) {
		made := stream(client, hstream.WithReplicationFactor(3), hstream.EnableBacklog(1800), hstream.WithShardCount(2))
		streams, err := client.ListStreams()
		ok(err)
		found := false
		for _, each := range streams {
			if each.StreamName == made {
				found = true
				equal([]uint32{each.ReplicationFactor, each.BacklogDuration, each.ShardCount}, []uint32{3, 1800, 2})
			}
		}
		check(found, "the stream is not listed")
		refused(client.CreateStream(made), codes.AlreadyExists)
		ok(client.DeleteStream(made))
		refused(client.DeleteStream(made), codes.NotFound)
	}},
	{"streams are refused", func(client *hstream.HStreamClient) {
		for _, bad := range []string{"", "1a", "a b", "_a", strings.Repeat("x", 256)} {
			refused(client.CreateStream(bad), codes.InvalidArgument)
		}
		refused(client.CreateStream("a", hstream.EnableBacklog(4294967295)), codes.InvalidArgument)
	}},
	{"shards cover the key space", func(client *hstream.HStreamClient) {
		made := stream(client, hstream.WithShardCount(7))
		shards, err := client.ListShards(made)
		ok(err)
		equal(len(shards), 7)
		for _, shard := range shards {
			at, err := client.LookupShard(shard.ShardId)
			ok(err)
			equal(at, address)
		}
		_, err = client.ListShards("absent")
		refused(err, codes.NotFound)
		_, err = client.NewProducer("absent")
		refused(err, codes.NotFound)
		_, err = client.NewBatchProducer("absent")
		refused(err, codes.NotFound)
	}},
	{"single appends are answered with rising ids", func(client *hstream.HStreamClient) {
		ids := produce(client, stream(client), texts("x", 20)...)
		for i := 1; i < len(ids); i++ {
			check(ids[i].String() > ids[i-1].String(), "%v comes after %v", ids[i], ids[i-1])
		}
	}},
	{"records of both kinds are read back", func(client *hstream.HStreamClient) {
		made := stream(client)
		producer, err := client.NewProducer(made)
		ok(err)
		hrecord, err := Record.NewHStreamHRecord("k", map[string]any{"a": 1.5, "b": []any{true, nil, "x"}, "c": map[string]any{}})
		ok(err)
		_, err = producer.Append(hrecord).Ready()
		ok(err)
		_, err = producer.Append(raw("k", "\x00\xff")).Ready()
		ok(err)
		shards, err := client.ListShards(made)
		ok(err)
		found := read(client, made, shards[0].ShardId, 2, hstream.WithMaxRecords(10))
		equal(found, []string{`{"a":1.5,"b":[true,null,"x"],"c":{}}`, "\x00\xff"})
	}},
	{"batches without compression", batches(compression.None)},
	{"batches with gzip", batches(compression.Gzip)},
	{"batches with zstd", batches(compression.Zstd)},
	{"a batch producer flushes by time and by bytes, with flow control", func(client *hstream.HStreamClient) {
		made := stream(client)
		producer, err := client.NewBatchProducer(made, hstream.WithBatch(1000, 2000), hstream.TimeOut(50), hstream.WithFlowControl(4000))
		ok(err)
		results := []hstream.AppendResult{}
		for _, text := range texts(strings.Repeat("y", 300), 40) {
			results = append(results, producer.Append(raw("", text)))
		}
		batches := map[uint64]bool{}
		for _, result := range results {
			id, err := result.Ready()
			ok(err)
			batches[id.BatchId] = true
		}
		producer.Stop()
		check(len(batches) > 2, "only %d batches", len(batches))
	}},
	{"HRecords are batched, and those of a key keep their order", func(client *hstream.HStreamClient) {
		made := stream(client, hstream.WithShardCount(3))
		producer, err := client.NewBatchProducer(made, hstream.WithBatch(7, 100_000), hstream.TimeOut(20))
		ok(err)
		results := []hstream.AppendResult{}
		for i := 0; i < 100; i++ {
			record, err := Record.NewHStreamHRecord(fmt.Sprintf("k%d", i%9), map[string]any{"n": i, "deep": map[string]any{"é": []any{nil, true}}})
			ok(err)
			results = append(results, producer.Append(record))
		}
		ids := []Record.RecordId{}
		for _, result := range results {
			id, err := result.Ready()
			ok(err)
			ids = append(ids, id)
		}
		producer.Stop()
		for i := 9; i < 100; i++ {
			// (Record.CompareRecordId mixes up batch and index.)
			check(ids[i-9].BatchId < ids[i].BatchId || ids[i-9].BatchIndex < ids[i].BatchIndex, "%v comes after %v", ids[i-9], ids[i])
		}
		numbers := map[uint64][]float64{}
		shards, err := client.ListShards(made)
		ok(err)
		count := 0
		for _, shard := range shards {
			reader, err := client.NewShardReader(made, name("reader"), shard.ShardId, hstream.WithMaxRecords(100), hstream.WithReaderTimeout(50))
			ok(err)
			for {
				part, err := reader.Read(context.Background())
				ok(err)
				if len(part) == 0 {
					break
				}
				for _, record := range part {
					equal(record.GetRecordType(), Record.HRECORD)
					equal(record.GetRecordId().ShardId, shard.ShardId)
					fields := record.GetPayload().(*structpb.Struct).AsMap()
					equal(fields["deep"], map[string]any{"é": []any{nil, true}})
					numbers[shard.ShardId] = append(numbers[shard.ShardId], fields["n"].(float64))
					count++
				}
			}
			reader.Close()
		}
		equal(count, 100)
		for _, list := range numbers {
			last := map[int]float64{}
			for _, n := range list {
				key := int(n) % 9
				check(n >= last[key], "%v comes after %v", n, last[key])
				last[key] = n
			}
		}
	}},
	{"many producers append at a time", func(client *hstream.HStreamClient) {
		made := stream(client, hstream.WithShardCount(2))
		done := make(chan error)
		for p := 0; p < 8; p++ {
			go func() {
				producer, err := client.NewProducer(made)
				for i := 0; err == nil && i < 25; i++ {
					_, err = producer.Append(raw(fmt.Sprintf("k%d", i), fmt.Sprintf("%d-%d", p, i))).Ready()
				}
				done <- err
			}()
		}
		for p := 0; p < 8; p++ {
			ok(<-done)
		}
		shards, err := client.ListShards(made)
		ok(err)
		found := map[string]bool{}
		for _, shard := range shards {
			reader, err := client.NewShardReader(made, name("reader"), shard.ShardId, hstream.WithMaxRecords(300), hstream.WithReaderTimeout(50))
			ok(err)
			for {
				part, err := reader.Read(context.Background())
				ok(err)
				if len(part) == 0 {
					break
				}
				for _, record := range part {
					found[textOf(record)] = true
				}
			}
			reader.Close()
		}
		equal(len(found), 200)
	}},
	{"what the client refuses by itself is an error", func(client *hstream.HStreamClient) {
		made := stream(client)
		failed(client.CreateStream(name("stream"), hstream.WithShardCount(0)), "shard count")
		failed(client.CreateSubscription(name("sub"), made, hstream.WithAckTimeout(0)), "ack timeout")
		failed(client.CreateSubscription(name("sub"), made, hstream.WithMaxUnackedRecords(-1)), "max unacked")
		_, err := client.NewBatchProducer(made, hstream.WithBatch(0, 10))
		failed(err, "batch size")
		_, err = client.NewBatchProducer(made, hstream.WithBatch(10, 1000), hstream.WithFlowControl(10))
		check(err != nil, "flow control below the size of a batch")
	}},
	{"a forced deletion, and one of nothing", func(client *hstream.HStreamClient) {
		defer func() { hstream.ForceDelete, hstream.IgnoreNoneExist = false, false }()
		made, subscription := stream(client), name("sub")
		produce(client, made, "kept")
		ok(client.CreateSubscription(subscription, made, hstream.WithOffset(hstream.EARLIEST)))
		refused(client.DeleteStream(made), codes.FailedPrecondition)
		ok(client.DeleteStream(made, hstream.EnableForceDelete))
		refused(client.DeleteStream(made), codes.NotFound)
		ok(client.DeleteStream(made, hstream.EnableIgnoreNoneExist))
		consumer := client.NewConsumer("one", subscription)
		equal(collect(consumer.StartFetch(), 1, all), []string{"kept"})
		consumer.Stop()
	}},
	{"appends to a stream that is gone are refused", func(client *hstream.HStreamClient) {
		made := stream(client)
		producer, err := client.NewProducer(made)
		ok(err)
		ok(client.DeleteStream(made))
		_, err = producer.Append(raw("", "x")).Ready()
		refused(err, codes.NotFound)
	}},
	{"records that are too large are refused", func(client *hstream.HStreamClient) {
		producer, err := client.NewProducer(stream(client))
		ok(err)
		_, err = producer.Append(raw("", strings.Repeat("x", 1_100_000))).Ready()
		refused(err, codes.InvalidArgument)
	}},
	{"subscriptions come and go", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithAckTimeout(7), hstream.WithMaxUnackedRecords(11), hstream.WithOffset(hstream.EARLIEST)))
		refused(client.CreateSubscription(subscription, made), codes.AlreadyExists)
		subscriptions, err := client.ListSubscriptions()
		ok(err)
		found := false
		for _, each := range subscriptions {
			if each.SubscriptionId == subscription {
				found = true
				equal([]int32{each.AckTimeoutSeconds, each.MaxUnackedRecords}, []int32{7, 11})
				equal(each.StreamName, made)
				equal(each.Offset, hstream.EARLIEST)
				check(time.Since(each.CreationTime) < time.Minute, "made %v", each.CreationTime)
			}
		}
		check(found, "the subscription is not listed")
		exists, err := client.CheckExist(subscription)
		ok(err)
		check(exists, "it exists")
		refused(client.DeleteStream(made), codes.FailedPrecondition)
		ok(client.DeleteSubscription(subscription, false))
		exists, err = client.CheckExist(subscription)
		ok(err)
		check(!exists, "it is deleted")
		refused(client.DeleteSubscription(subscription, true), codes.NotFound)
		refused(client.CreateSubscription(subscription, "absent"), codes.FailedPrecondition)
		refused(client.CreateSubscription("1", made), codes.InvalidArgument)
	}},
	{"a consumer gets what was and what comes, and acks it", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithAckTimeout(5), hstream.WithOffset(hstream.EARLIEST)))
		produce(client, made, texts("a", 50)...)
		consumer := client.NewConsumer("one", subscription)
		channel := consumer.StartFetch()
		produce(client, made, texts("b", 50)...)
		equal(collect(channel, 100, all), append(texts("a", 50), texts("b", 50)...))
		equal(late(channel, 6*time.Second), []string{})
		refused(client.DeleteSubscription(subscription, false), codes.FailedPrecondition)
		consumer.Stop()
		ok(eventually(func() error { return client.DeleteSubscription(subscription, false) }))
	}},
	{"latest means from now on", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		produce(client, made, "before")
		ok(client.CreateSubscription(subscription, made, hstream.WithOffset(hstream.LATEST)))
		produce(client, made, "after")
		consumer := client.NewConsumer("one", subscription)
		equal(collect(consumer.StartFetch(), 1, all), []string{"after"})
		consumer.Stop()
	}},
	{"what is not acked comes again, once for each timeout", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithAckTimeout(3), hstream.WithOffset(hstream.EARLIEST)))
		produce(client, made, texts("x", 10)...)
		consumer := client.NewConsumer("one", subscription)
		channel := consumer.StartFetch()
		collect(channel, 10, none)
		equal(sorted(late(channel, 4*time.Second)), texts("x", 10))
		consumer.Stop()
	}},
	{"what was acked stays away from the next consumer", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithAckTimeout(2), hstream.WithOffset(hstream.EARLIEST)))
		produce(client, made, texts("x", 120)...)
		first := client.NewConsumer("one", subscription)
		channel := first.StartFetch()
		collect(channel, 120, func(text string) bool { return text < "x100" })
		equal(sorted(late(channel, 3*time.Second)), texts("x", 120)[100:])
		first.Stop()
		second := client.NewConsumer("two", subscription)
		equal(sorted(collect(second.StartFetch(), 20, all)), texts("x", 120)[100:])
		second.Stop()
	}},
	{"another of the group gets what one that left had not acked", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithAckTimeout(2), hstream.WithOffset(hstream.EARLIEST)))
		produce(client, made, texts("x", 110)...)
		first := client.NewConsumer("first", subscription)
		collect(first.StartFetch(), 110, func(text string) bool { return text < "x100" })
		second := client.NewConsumer("second", subscription)
		channel := second.StartFetch()
		first.Stop()
		equal(sorted(collect(channel, 10, all)), texts("x", 110)[100:])
		second.Stop()
	}},
	{"a record is acked twice", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithAckTimeout(2), hstream.WithOffset(hstream.EARLIEST)))
		// The client sends its acks when there are a hundred of them, else at its end.
		produce(client, made, texts("x", 50)...)
		consumer := client.NewConsumer("one", subscription)
		channel := consumer.StartFetch()
		for taken := 0; taken < 50; {
			fetched := <-channel
			ok(fetched.Err)
			for _, record := range fetched.Result {
				record.Ack()
				record.Ack()
				taken++
			}
		}
		equal(late(channel, 3*time.Second), []string{})
		consumer.Stop()
	}},
	{"a consumer of the same name, or of nothing, gets nothing", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithOffset(hstream.EARLIEST)))
		first := client.NewConsumer("same", subscription)
		channel := first.StartFetch()
		produce(client, made, "1")
		equal(collect(channel, 1, all), []string{"1"})
		// The client keeps what it is told to itself, and gives out empty results.
		for _, of := range []string{subscription, name("absent")} {
			second := client.NewConsumer("same", of)
			equal(late(second.StartFetch(), 300*time.Millisecond), []string{})
			second.Stop()
		}
		produce(client, made, "2")
		equal(collect(channel, 1, all), []string{"2"})
		first.Stop()
	}},
	{"a slow consumer is held back", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithMaxUnackedRecords(10), hstream.WithOffset(hstream.EARLIEST)))
		produce(client, made, texts("x", 200)...)
		consumer := client.NewConsumer("one", subscription)
		channel := consumer.StartFetch()
		found := late(channel, time.Second)
		check(len(found) >= 10 && len(found) < 200, "%d records without an ack", len(found))
		consumer.Stop()
	}},
	{"a group shares the shards", func(client *hstream.HStreamClient) {
		made, subscription := stream(client, hstream.WithShardCount(4)), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithOffset(hstream.EARLIEST)))
		consumers := []*hstream.Consumer{}
		merged := make(chan string, 1000)
		counts := make([]int, 4)
		for i := range counts {
			consumer := client.NewConsumer(fmt.Sprintf("c%d", i), subscription)
			consumers = append(consumers, consumer)
			channel := consumer.StartFetch()
			go func() {
				for fetched := range channel {
					for _, record := range fetched.Result {
						counts[i]++
						record.Ack()
						merged <- textOf(record)
					}
				}
			}()
		}
		time.Sleep(500 * time.Millisecond)
		producer, err := client.NewBatchProducer(made, hstream.WithBatch(10, 100_000), hstream.TimeOut(20))
		ok(err)
		results := []hstream.AppendResult{}
		for i, text := range texts("x", 400) {
			results = append(results, producer.Append(raw(fmt.Sprintf("k%d", i), text)))
		}
		for _, result := range results {
			_, err := result.Ready()
			ok(err)
		}
		producer.Stop()
		found := []string{}
		for len(found) < 400 {
			select {
			case text := <-merged:
				found = append(found, text)
			case <-time.After(20 * time.Second):
				panic(failure(fmt.Sprintf("only %d records came", len(found))))
			}
		}
		equal(sorted(found), texts("x", 400))
		for i, count := range counts {
			check(count > 0, "consumer %d got nothing", i)
		}
		for _, consumer := range consumers {
			consumer.Stop()
		}
	}},
	{"readers begin at every kind of offset", func(client *hstream.HStreamClient) {
		made := stream(client)
		ids := produce(client, made, texts("x", 10)...)
		shards, err := client.ListShards(made)
		ok(err)
		shard := shards[0].ShardId
		equal(read(client, made, shard, 10), texts("x", 10))
		equal(read(client, made, shard, 10, hstream.WithShardOffset(hstream.EarliestShardOffset), hstream.WithMaxRecords(3)), texts("x", 10))
		equal(read(client, made, shard, 3, hstream.WithShardOffset(hstream.NewRecordOffset(ids[7])), hstream.WithReaderTimeout(100)), texts("x", 10)[7:])
		reader, err := client.NewShardReader(made, name("reader"), shard, hstream.WithShardOffset(hstream.LatestShardOffset), hstream.WithReaderTimeout(100))
		ok(err)
		produce(client, made, "new")
		equal(readFrom(reader, 1), []string{"new"})
		reader.Close()
	}},
	{"readers are refused", func(client *hstream.HStreamClient) {
		made := stream(client)
		shards, err := client.ListShards(made)
		ok(err)
		shard, id := shards[0].ShardId, name("reader")
		create := func(id string, shard uint64, opts ...hstream.ShardReaderOpts) error {
			reader, err := client.NewShardReader(made, id, shard, opts...)
			reader.Close()
			return err
		}
		ok(create(id, shard))
		refused(create(id, shard), codes.AlreadyExists)
		refused(create("1", shard), codes.InvalidArgument)
		refused(create("absent", 1), codes.NotFound)
		elsewhere := hstream.NewRecordOffset(Record.RecordId{ShardId: shard + 1, BatchId: 1})
		refused(create("elsewhere", shard, hstream.WithShardOffset(elsewhere)), codes.InvalidArgument)
		ok(client.DeleteShardReader(shard, id))
		refused(client.DeleteShardReader(shard, id), codes.FailedPrecondition)
	}},
	{"a reader waits, and stops waiting when it is told", func(client *hstream.HStreamClient) {
		made := stream(client)
		shards, err := client.ListShards(made)
		ok(err)
		reader, err := client.NewShardReader(made, name("reader"), shards[0].ShardId, hstream.WithShardOffset(hstream.LatestShardOffset), hstream.WithReaderTimeout(10_000))
		ok(err)
		go func() {
			time.Sleep(200 * time.Millisecond)
			produce(client, made, "new")
		}()
		equal(readFrom(reader, 1), []string{"new"})
		limit, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		_, err = reader.Read(limit)
		check(err == context.DeadlineExceeded, "%v", err)
		reader.Close()
	}},
	{"statistics count what was done", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithOffset(hstream.EARLIEST)))
		produce(client, made, texts("x", 20)...)
		consumer := client.NewConsumer("one", subscription)
		collect(consumer.StartFetch(), 20, all)
		consumer.Stop()
		for _, method := range []string{"appends", "append_in_bytes", "append_in_records", "append_in_requests"} {
			stats, err := client.StreamStatsRequest(method, made, []int32{60_000, 600_000})
			ok(err)
			check(len(stats.Values) == 2 && stats.Values[0] > 0, "%s: %v", method, stats.Values)
			every, err := client.StreamStatsAllRequest(method, []int32{60_000})
			ok(err)
			check(every[made] != nil && every[made].Values[0] > 0, "%s of all: %v", method, every[made])
		}
		_, err := client.StreamStatsRequest("nonsense", made, []int32{60_000})
		refused(err, codes.InvalidArgument)
		counts := func(kind hstream.StatType) int64 {
			results, err := client.GetStatsRequest(address, []hstream.StatType{kind})
			ok(err)
			equal(len(results), 1)
			value, isValue := results[0].(hstream.StatValue)
			check(isValue, "%v", results[0])
			if _, isOfStream := kind.(hstream.StreamStatsType); isOfStream {
				return value.Value[made]
			}
			return value.Value[subscription]
		}
		equal(counts(hstream.StreamAppendInRecords), int64(20))
		equal(counts(hstream.StreamAppendTotal), int64(20))
		equal(counts(hstream.StreamAppendFailed), int64(0))
		check(counts(hstream.StreamAppendInBytes) > 80, "bytes")
		equal(counts(hstream.SubSendOutRecords), int64(20))
		check(counts(hstream.SubSendOutBytes) > 80, "bytes")
		ok(eventually(func() error {
			if acks := counts(hstream.ReceivedAcks); acks != 20 {
				return fmt.Errorf("%d acks", acks)
			}
			return nil
		}))
		for _, kind := range []hstream.StatType{hstream.SubSendOutRecordsFailed, hstream.SubResendRecords,
			hstream.SubResendRecordsFailed, hstream.SubRequestMessages, hstream.SubResponseMessages,
			hstream.QueryTotalInputRecords, hstream.QueryTotalOutputRecords, hstream.QueryTotalExcuteErrors,
			hstream.ViewTotalExecuteQueries, hstream.ConnectorDeliveredInRecords, hstream.ConnectorDeliveredInBytes} {
			counts(kind)
		}
	}},
	{"a restart in the middle of producing loses nothing that was answered", func(client *hstream.HStreamClient) {
		made := stream(client)
		producer, err := client.NewBatchProducer(made, hstream.WithBatch(5, 100_000), hstream.TimeOut(10))
		ok(err)
		results := []hstream.AppendResult{}
		written := texts("x", 100)
		for i, text := range written {
			results = append(results, producer.Append(raw("", text)))
			if i == 50 {
				restart()
			}
		}
		stored := []string{}
		for i, result := range results {
			if _, err := result.Ready(); err == nil {
				stored = append(stored, written[i])
			}
		}
		producer.Stop()
		check(len(stored) >= 80, "only %d of 100 were stored", len(stored))
		ok(eventually(func() error { _, err := client.ListStreams(); return err }))
		shards, err := client.ListShards(made)
		ok(err)
		reader, err := client.NewShardReader(made, name("reader"), shards[0].ShardId, hstream.WithMaxRecords(1000), hstream.WithReaderTimeout(200))
		ok(err)
		found := map[string]bool{}
		for {
			part, err := reader.Read(context.Background())
			ok(err)
			if len(part) == 0 {
				break
			}
			for _, record := range part {
				found[textOf(record)] = true
			}
		}
		reader.Close()
		for _, text := range stored {
			check(found[text], "%s was answered and is not there", text)
		}
	}},
	{"admin commands are answered in their three forms", func(client *hstream.HStreamClient) {
		made := stream(client, hstream.WithReplicationFactor(2))
		admin := func(command string) (answer struct {
			Type    string
			Content json.RawMessage
		}) {
			text, err := client.AdminRequestToServer(address, command)
			ok(err)
			ok(json.Unmarshal([]byte(text), &answer))
			return
		}
		described := admin("server stream describe " + made)
		equal([]string{described.Type, string(described.Content)},
			[]string{"table", `{"headers":["Stream Name","Replication Factor"],"rows":[["` + made + `","2"]]}`})
		equal(admin("server ready").Type, "plain")
		equal(admin("server stream describe absent").Type, "error")
		_, err := client.AdminRequest("nonsense")
		refused(err, codes.Internal)
	}},
	{"a restart of the server loses nothing", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithAckTimeout(600), hstream.WithOffset(hstream.EARLIEST)))
		produce(client, made, texts("a", 120)...)
		first := client.NewConsumer("one", subscription)
		collect(first.StartFetch(), 120, func(text string) bool { return text < "a100" })
		first.Stop()
		time.Sleep(300 * time.Millisecond)
		restart()
		// Go's client keeps its connection, which comes back by itself.
		ok(eventually(func() error { _, err := client.ListStreams(); return err }))
		produce(client, made, texts("b", 5)...)
		second := client.NewConsumer("one", subscription)
		equal(sorted(collect(second.StartFetch(), 25, all)), append(texts("a", 120)[100:], texts("b", 5)...))
		second.Stop()
	}},
}

// What connects by itself.
var once = []test{
	{"a certificate out of date, or none, lets nobody in", func(*hstream.HStreamClient) {
		url := "hstreams://" + mutual.address
		_, err := hstream.NewHStreamClient(url, hstream.WithCaCert(secret("ca.crt")),
			hstream.WithClientCert(secret("expired.crt")), hstream.WithClientKey(secret("expired.key")))
		check(err != nil, "an expired certificate let it in")
		_, err = hstream.NewHStreamClient(url, hstream.WithCaCert(secret("ca.crt")))
		check(err != nil, "no certificate let it in")
		_, err = hstream.NewHStreamClient(url, hstream.WithCaCert("absent.crt"))
		check(err != nil, "a file that is not there was read")
	}},
	{"URLs name servers, of which one is enough", func(*hstream.HStreamClient) {
		client, err := hstream.NewHStreamClient("hstream://127.0.0.1:1," + plain.address)
		ok(err)
		stream(client)
		client.Close()
		for _, url := range []string{"http://" + plain.address, "hstream://127.0.0.1:1", ""} {
			_, err := hstream.NewHStreamClient(url)
			check(err != nil, "%q was taken", url)
		}
	}},
}

func batches(kind compression.CompressionType) func(*hstream.HStreamClient) {
	return func(client *hstream.HStreamClient) {
		made, subscription := stream(client, hstream.WithShardCount(2)), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithOffset(hstream.EARLIEST)))
		producer, err := client.NewBatchProducer(made, hstream.WithBatch(10, 100_000), hstream.TimeOut(100), hstream.WithCompression(kind))
		ok(err)
		results := []hstream.AppendResult{}
		written := texts("some text that can be compressed some text that can be compressed", 100)
		for i, text := range written {
			results = append(results, producer.Append(raw(fmt.Sprintf("k%d", i), text)))
		}
		seen := map[string]bool{}
		for _, result := range results {
			id, err := result.Ready()
			ok(err)
			check(!seen[id.String()], "%v twice", id)
			seen[id.String()] = true
		}
		producer.Stop()
		consumer := client.NewConsumer("one", subscription)
		equal(sorted(collect(consumer.StartFetch(), 100, all)), written)
		consumer.Stop()
		shards, err := client.ListShards(made)
		ok(err)
		found := []string{}
		for _, shard := range shards {
			reader, err := client.NewShardReader(made, name("reader"), shard.ShardId, hstream.WithMaxRecords(100))
			ok(err)
			for {
				part, err := reader.Read(context.Background())
				ok(err)
				if len(part) == 0 {
					break
				}
				for _, record := range part {
					found = append(found, textOf(record))
				}
			}
			reader.Close()
		}
		equal(sorted(found), written)
	}
}

// Reads so many records with a reader of its own.
func read(client *hstream.HStreamClient, stream string, shard uint64, count int, opts ...hstream.ShardReaderOpts) []string {
	id := name("reader")
	reader, err := client.NewShardReader(stream, id, shard, opts...)
	ok(err)
	found := readFrom(reader, count)
	reader.Close()
	ok(client.DeleteShardReader(shard, id))
	return found
}

func readFrom(reader *hstream.ShardReader, count int) []string {
	found := []string{}
	limit, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for len(found) < count {
		records, err := reader.Read(limit)
		ok(err)
		for _, record := range records {
			found = append(found, textOf(record))
		}
	}
	return found
}

func eventually(work func() error) error {
	var err error
	for i := 0; i < 50; i++ {
		if err = work(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

func run(each test, connects bool) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%v", reason)
		}
	}()
	if !connects {
		each.run(nil)
		return nil
	}
	client := connect()
	defer client.Close()
	each.run(client)
	return nil
}

var passed, failures = 0, 0

func runAll(list []test, how string, connects bool) {
	for _, each := range list {
		if len(os.Args) > 1 && !strings.Contains(each.title, os.Args[1]) {
			continue
		}
		if err := run(each, connects); err != nil {
			failures++
			fmt.Printf("FAILED  %s (%s): %v\n", each.title, how, err)
		} else {
			passed++
			fmt.Printf("ok      %s (%s)\n", each.title, how)
		}
	}
}

func main() {
	util.SetLogLevel(util.FATAL)
	for _, connection := range []connection{plain, mutual} {
		current, address = connection, connection.address
		runAll(tests, connection.name, true)
	}
	runAll(once, "by itself", false)
	fmt.Printf("%d passed, %d failed\n", passed, failures)
	if failures > 0 {
		os.Exit(1)
	}
}
