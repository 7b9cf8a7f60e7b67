// Every feature of the Go client of HStreamDB, against the server at HSTREAM_ADDRESS.
package main

import (
	"bufio"
	"bytes"
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

var address = os.Getenv("HSTREAM_ADDRESS")
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
	client, err := hstream.NewHStreamClient("hstream://" + address)
	ok(err)
	return client
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
		ok(client.CreateSubscription(subscription, made, hstream.WithAckTimeout(2), hstream.WithOffset(hstream.EARLIEST)))
		produce(client, made, texts("a", 50)...)
		consumer := client.NewConsumer("one", subscription)
		channel := consumer.StartFetch()
		produce(client, made, texts("b", 50)...)
		equal(collect(channel, 100, all), append(texts("a", 50), texts("b", 50)...))
		equal(late(channel, 3*time.Second), []string{})
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
	{"acks at the end are kept", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithAckTimeout(1), hstream.WithOffset(hstream.EARLIEST)))
		produce(client, made, texts("x", 20)...)
		first := client.NewConsumer("one", subscription)
		collect(first.StartFetch(), 20, func(text string) bool { return text < "x010" })
		first.Stop()
		time.Sleep(1200 * time.Millisecond)
		second := client.NewConsumer("two", subscription)
		channel := second.StartFetch()
		equal(sorted(collect(channel, 10, all)), texts("x", 20)[10:])
		second.Stop()
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
	{"a certificate of the client lets it in", func(*hstream.HStreamClient) {
		secret := func(name string) string { return os.Getenv("HSTREAM_SECRETS") + "/" + name }
		url := "hstreams://" + os.Getenv("HSTREAM_MUTUAL_ADDRESS")
		secure, err := hstream.NewHStreamClient(url, hstream.WithCaCert(secret("ca.crt")),
			hstream.WithClientCert(secret("client.crt")), hstream.WithClientKey(secret("client.key")))
		ok(err)
		defer secure.Close()
		made, subscription := stream(secure), name("sub")
		ok(secure.CreateSubscription(subscription, made, hstream.WithOffset(hstream.EARLIEST)))
		produce(secure, made, "over TLS")
		consumer := secure.NewConsumer("one", subscription)
		equal(collect(consumer.StartFetch(), 1, all), []string{"over TLS"})
		consumer.Stop()
		_, err = hstream.NewHStreamClient(url, hstream.WithCaCert(secret("ca.crt")),
			hstream.WithClientCert(secret("expired.crt")), hstream.WithClientKey(secret("expired.key")))
		check(err != nil, "an expired certificate let it in")
	}},
	{"a restart of the server loses nothing", func(client *hstream.HStreamClient) {
		made, subscription := stream(client), name("sub")
		ok(client.CreateSubscription(subscription, made, hstream.WithAckTimeout(600), hstream.WithOffset(hstream.EARLIEST)))
		produce(client, made, texts("a", 20)...)
		first := client.NewConsumer("one", subscription)
		collect(first.StartFetch(), 20, func(text string) bool { return text < "a010" })
		first.Stop()
		time.Sleep(300 * time.Millisecond)
		fmt.Println("@restart")
		_, err := answers.ReadString('\n')
		ok(err)
		// Go's client keeps its connection, which comes back by itself.
		ok(eventually(func() error { _, err := client.ListStreams(); return err }))
		produce(client, made, texts("b", 5)...)
		second := client.NewConsumer("one", subscription)
		equal(sorted(collect(second.StartFetch(), 15, all)), append(texts("a", 20)[10:], texts("b", 5)...))
		second.Stop()
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

func run(each test) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%v", reason)
		}
	}()
	client := connect()
	defer client.Close()
	each.run(client)
	return nil
}

func main() {
	util.SetLogLevel(util.FATAL)
	passed, failed := 0, 0
	for _, each := range tests {
		if len(os.Args) > 1 && !bytes.Contains([]byte(each.title), []byte(os.Args[1])) {
			continue
		}
		if err := run(each); err != nil {
			failed++
			fmt.Printf("FAILED  %s: %v\n", each.title, err)
		} else {
			passed++
			fmt.Printf("ok      %s\n", each.title)
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
