"""Every feature of the Python client of HStreamDB, against the server at HSTREAM_ADDRESS."""

import asyncio
import logging
import os
import socket
import sys
import time
import traceback

import grpc
from hstreamdb import HStreamDBClient, insecure_client, secure_client
from hstreamdb.aio.producer import BufferedProducer, PayloadTooBig
from hstreamdb.types import RecordId, ShardOffset, SpecialOffset, record_id_to
import HStream.Server.HStreamApi_pb2 as api

tests = []
only_once = []
names = iter(range(1_000_000))


def place(name):
    host, port = os.environ[f"HSTREAM_{name}ADDRESS"].rsplit(":", 1)
    return host, int(port)


def test(work):
    """A test of everything that a client does, given one."""
    tests.append(work)
    return work


def once(work):
    """A test that connects by itself."""
    only_once.append(work)
    return work


def secret(name):
    with open(os.path.join(os.environ["HSTREAM_SECRETS"], name), "rb") as file:
        return file.read()


async def connect_plainly():
    return await insecure_client(*place(""))


def with_token(token):
    """A client that shows a token; the library's own functions know of certificates only."""
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(secret("ca.crt")), grpc.access_token_call_credentials(token)
    )
    return HStreamDBClient(*place("SECURE_"), credentials)


async def connect_securely():
    client = with_token(os.environ["HSTREAM_TOKEN"])
    await client.init_cluster_info()
    return client


# Every test is run over each of these connections: how to make one, and the name of the server.
connections = {"plain": (connect_plainly, "open"), "TLS and a token": (connect_securely, "secure")}
connect, server = connections["plain"]


def name(kind):
    return f"{kind}_{next(names)}"


def earliest():
    return ShardOffset(specialOffset=SpecialOffset.EARLIEST)


def latest():
    return ShardOffset(specialOffset=SpecialOffset.LATEST)


async def refused(work, code):
    try:
        await work
    except grpc.aio.AioRpcError as error:
        assert error.code() == code, (error.code(), error.details())
        return error
    raise AssertionError("the call succeeded")


async def stream(client, **options):
    made = name("stream")
    await client.create_stream(made, **options)
    return made


async def fails(work, error):
    try:
        await work
    except error:
        return
    raise AssertionError("the call succeeded")


async def restart():
    print(f"@restart {server}", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


class Collector:
    """A consumer that takes records until it has so many, and acks those that `acked` accepts."""

    def __init__(self, client, subscription, count, consumer=None, acked=lambda record: True):
        self.records = []
        self.count = count
        self.acked = acked
        self.enough = asyncio.Event()
        self.consumer = client.new_consumer(consumer or name("consumer"), subscription, self.take)
        self.task = asyncio.create_task(self.consumer.start())

    async def take(self, ack, stop, records):
        records = list(records)
        self.records += records
        await ack(record.id for record in records if self.acked(record))
        if len(self.records) >= self.count:
            self.enough.set()

    async def wait(self, timeout=20):
        await asyncio.wait_for(self.enough.wait(), timeout)
        return self.payloads()

    def payloads(self):
        return [record.payload for record in self.records]

    async def stop(self):
        # Acks that are on their way go first.
        await asyncio.sleep(0.2)
        await self.consumer._stop()
        await asyncio.wait_for(self.task, 10)


class Outcome(BufferedProducer.AppendCallback):
    """What a buffered producer tells: the sizes of the batches that were stored, and what was not."""

    def __init__(self):
        self.stored = []
        self.failed = []
        self.told = asyncio.Event()

    def on_success(self, stream_name, payloads, stream_keyid):
        self.stored.append(len(payloads))
        self.told.set()

    def on_fail(self, stream_name, payloads, stream_keyid, e):
        self.failed.append(([payload.payload for payload in payloads], e))
        self.told.set()

    async def until(self, count):
        while len(self.stored) + len(self.failed) < count:
            self.told.clear()
            await asyncio.wait_for(self.told.wait(), 20)


async def works(client):
    """A record on its whole way."""
    made, subscription = await stream(client), name("sub")
    await client.create_subscription(subscription, made, offset=SpecialOffset.EARLIEST)
    await client.append(made, ["a record"])
    consumer = Collector(client, subscription, 1)
    assert await consumer.wait() == [b"a record"]
    await consumer.stop()


@test
async def streams_come_and_go(client):
    made = await stream(client, replication_factor=3, backlog=3600, shard_count=2)
    listed = {s.name: s for s in await client.list_streams()}
    assert listed[made].replication_factor == 3
    await client.delete_stream(made)
    assert made not in {s.name for s in await client.list_streams()}
    await refused(client.delete_stream(made), grpc.StatusCode.NOT_FOUND)
    await client.delete_stream(made, ignore_non_exist=True)


@test
async def streams_are_refused(client):
    made = await stream(client)
    await refused(client.create_stream(made), grpc.StatusCode.ALREADY_EXISTS)
    for bad in ["", "1a", "a b", "_a", "x" * 256]:
        await refused(client.create_stream(bad), grpc.StatusCode.INVALID_ARGUMENT)
    await refused(client.create_stream("a", shard_count=0), grpc.StatusCode.INVALID_ARGUMENT)
    await refused(client.create_stream("a", replication_factor=0), grpc.StatusCode.INVALID_ARGUMENT)
    await refused(client.create_stream("a", backlog=4294967295), grpc.StatusCode.INVALID_ARGUMENT)


@test
async def unicode_names_work(client):
    made = f"Übung_流_{next(names)}"
    await client.create_stream(made)
    assert made in {s.name for s in await client.list_streams()}
    error = await refused(client.create_stream(made), grpc.StatusCode.ALREADY_EXISTS)
    assert made in error.details(), error.details()
    await client.delete_stream(made)


@test
async def shards_cover_the_key_space(client):
    made = await stream(client, shard_count=5)
    shards = sorted(await client.list_shards(made), key=lambda shard: shard.start)
    assert shards[0].start == 0 and shards[-1].end == 2**128 - 1
    for before, after in zip(shards, shards[1:]):
        assert before.end + 1 == after.start
    assert all(0 < shard.id < 2**63 for shard in shards)
    # Anything but NOT_FOUND with a sentence would be taken for another failure by other clients.
    error = await refused(client.list_shards("absent"), grpc.StatusCode.NOT_FOUND)
    assert not error.details().startswith("{")


@test
async def appends_answer_an_id_for_each_record(client):
    made = await stream(client)
    ids = list(await client.append(made, ["text", b"bytes", {"json": 1}]))
    assert [i.batch_index for i in ids] == [0, 1, 2]
    assert len({i.batch_id for i in ids}) == 1
    later = list(await client.append(made, ["more"]))
    assert later[0].batch_id > ids[0].batch_id


@test
async def appends_are_read_back_whole(client):
    made = await stream(client)
    written = ["text", b"\x00\xff", {"a": 1.5, "b": [True, None, "x"], "c": {"d": {}}}]
    await client.append(made, written, key="k")
    await client.append(made, written, key="k", compresstype="gzip", compresslevel=1)
    async with client.with_reader(made, name("reader"), earliest(), 1000) as reader:
        found = list(await reader.read(10))
    expected = [b"text", b"\x00\xff", {"a": 1.5, "b": [True, None, "x"], "c": {"d": {}}}]
    assert [r.payload for r in found] == expected * 2, found
    assert {r.header.key for r in found} == {"k"}
    assert abs(found[0].header.publish_time.seconds - time.time()) < 100


@test
async def keys_decide_the_shard(client):
    made = await stream(client, shard_count=4)
    used = set()
    for i in range(40):
        [record] = await client.append(made, [f"v{i}"], key=f"k{i}")
        used.add(record.shard_id)
    assert used == {shard.id for shard in await client.list_shards(made)}
    found = []
    for shard in await client.list_shards(made):
        async with client.with_reader(made, name("reader"), earliest(), 1000, shard_id=shard.id) as reader:
            while part := list(await reader.read(10)):
                found += part
    assert sorted(r.payload for r in found) == sorted(f"v{i}".encode() for i in range(40))


@test
async def appends_are_refused(client):
    await refused(client.append("absent", ["x"]), grpc.StatusCode.NOT_FOUND)
    made = await stream(client)
    await refused(client.append(made, []), grpc.StatusCode.INVALID_ARGUMENT)
    await refused(client.append(made, [b"x" * 1_048_577]), grpc.StatusCode.INVALID_ARGUMENT)
    await client.append(made, [b"x" * 1_000_000])
    await client.delete_stream(made, force=True)
    await refused(client.append(made, ["x"]), grpc.StatusCode.NOT_FOUND)


@test
async def a_buffered_producer_flushes_by_size_time_and_word(client):
    made = await stream(client, shard_count=2)
    outcome = Outcome()
    producer = client.new_producer(
        append_callback=outcome, size_trigger=1_000, time_trigger=0.1, workers=2, retry_count=2
    )
    for i in range(100):
        await producer.append(made, f"{i:04}" * 10, key=f"k{i}")
    await producer.append(made, {"last": True}, key="z")
    await producer.flush_by_key(made, key="z")
    try:
        await producer.append(made, "x" * 2_000)
        raise AssertionError("larger than the size trigger")
    except PayloadTooBig:
        pass
    await producer.wait_and_close()
    assert sum(outcome.stored) == 101 and len(outcome.stored) > 2 and outcome.failed == []


@test
async def a_buffered_producer_flushes_one_shard_or_all(client):
    made = await stream(client, shard_count=2)
    outcome = Outcome()
    producer = client.new_producer(append_callback=outcome, workers=3)
    shards = await client.list_shards(made)
    for i in range(40):
        await producer.append(made, b"x", key=f"k{i}")
    assert outcome.stored == []
    await producer.flush(made, shards[0].id)
    await outcome.until(1)
    assert 0 < outcome.stored[0] < 40
    # Also "flushes" the shard that has nothing left.
    await producer.flushall()
    await outcome.until(3)
    assert sum(outcome.stored) == 40, outcome.stored
    await fails(producer.flush(made, 1), ValueError)
    await producer.append(made, {"a": 1})
    await producer.wait_and_close()
    assert sum(outcome.stored) == 41
    try:
        client.new_producer(workers=0)
        raise AssertionError("a producer without workers")
    except ValueError:
        pass


@test
async def a_buffered_producer_tells_of_failures(client):
    made = await stream(client)
    outcome = Outcome()
    producer = client.new_producer(append_callback=outcome, size_trigger=10)
    await producer.append(made, "kept till", key="k")
    await client.delete_stream(made)
    await producer.flushall()
    await outcome.until(1)
    [(payloads, error)] = outcome.failed
    assert payloads == ["kept till"] and error.code() == grpc.StatusCode.NOT_FOUND, error
    # After a failure the client waits for ever for the flush to end, so it is not closed.
    for worker in producer._workers:
        worker.cancel()


@test
async def many_appends_at_a_time_are_answered_each(client):
    made = await stream(client, shard_count=3)
    answers = await asyncio.gather(*(client.append(made, [f"{i}"], key=f"k{i % 7}") for i in range(200)))
    ids = [record for answer in answers for record in answer]
    assert len(set(ids)) == 200


@test
async def only_what_the_client_can_encode_is_sent(client):
    made = await stream(client)
    await fails(client.append(made, [5]), ValueError)
    await fails(client.append(made, ["x"], compresstype="zstd"), KeyError)
    await client.append(made, ["", "Ünïcode 流", {"é": "流"}], key="Schlüssel 流")
    async with client.with_reader(made, name("reader"), earliest(), 1000) as reader:
        found = list(await reader.read(10))
    # The client drops empty payloads, whoever sent them.
    assert [r.payload for r in found] == ["Ünïcode 流".encode(), {"é": "流"}]
    assert found[0].header.key == "Schlüssel 流" and found[0].id.batch_index == 1


@test
async def defaults_are_as_documented(client):
    made, subscription = await stream(client), name("sub")
    assert [s.replication_factor for s in await client.list_streams() if s.name == made] == [1]
    assert len(await client.list_shards(made)) == 1
    await client.create_subscription(subscription, made)
    [found] = [s for s in await client.list_subscriptions() if s.subscription_id == subscription]
    assert (found.ack_timeout, found.max_unacks) == (600, 10_000)
    await client.append(made, ["after"])
    consumer = Collector(client, subscription, 1)
    assert await consumer.wait() == [b"after"]
    await consumer.stop()


@test
async def subscriptions_come_and_go(client):
    made, subscription = await stream(client), name("sub")
    await client.create_subscription(subscription, made, ack_timeout=7, max_unacks=11)
    [found] = [s for s in await client.list_subscriptions() if s.subscription_id == subscription]
    assert (found.stream_name, found.ack_timeout, found.max_unacks) == (made, 7, 11)
    assert await client.does_subscription_exist(subscription)
    await refused(client.delete_stream(made), grpc.StatusCode.FAILED_PRECONDITION)
    await client.delete_subscription(subscription)
    assert not await client.does_subscription_exist(subscription)
    await refused(client.delete_subscription(subscription), grpc.StatusCode.NOT_FOUND)
    await client.delete_stream(made)


@test
async def subscriptions_are_refused(client):
    made, subscription = await stream(client), name("sub")
    await refused(client.create_subscription(subscription, "absent"), grpc.StatusCode.FAILED_PRECONDITION)
    await refused(client.create_subscription("1", made), grpc.StatusCode.INVALID_ARGUMENT)
    await refused(client.create_subscription(subscription, made, ack_timeout=0), grpc.StatusCode.INVALID_ARGUMENT)
    await refused(client.create_subscription(subscription, made, max_unacks=-1), grpc.StatusCode.INVALID_ARGUMENT)
    await client.create_subscription(subscription, made)
    await refused(client.create_subscription(subscription, made), grpc.StatusCode.ALREADY_EXISTS)


@test
async def a_consumer_gets_what_was_and_what_comes(client):
    made, subscription = await stream(client), name("sub")
    await client.append(made, [f"a{i}" for i in range(10)])
    await client.create_subscription(subscription, made, offset=SpecialOffset.EARLIEST)
    consumer = Collector(client, subscription, 20)
    await client.append(made, [f"b{i}" for i in range(10)], compresstype="gzip")
    expected = [f"{letter}{i}".encode() for letter in "ab" for i in range(10)]
    assert await consumer.wait() == expected
    await consumer.stop()
    await client.delete_subscription(subscription)


@test
async def latest_means_from_now_on(client):
    made, subscription = await stream(client), name("sub")
    await client.append(made, ["before"])
    await client.create_subscription(subscription, made, offset=SpecialOffset.LATEST)
    await client.append(made, ["after"])
    consumer = Collector(client, subscription, 1)
    assert await consumer.wait() == [b"after"]
    await consumer.stop()


@test
async def acked_records_stay_away_and_others_come_again(client):
    made, subscription = await stream(client), name("sub")
    await client.create_subscription(subscription, made, ack_timeout=2, offset=SpecialOffset.EARLIEST)
    await client.append(made, [f"{i}" for i in range(10)], compresstype="gzip")
    seen = {}

    def second_time(record):
        seen[record.payload] = seen.get(record.payload, 0) + 1
        return seen[record.payload] == 2 or int(record.payload) % 2 == 0

    consumer = Collector(client, subscription, 15, acked=second_time)
    await consumer.wait()
    await asyncio.sleep(3)
    assert {payload: count for payload, count in seen.items()} == {
        f"{i}".encode(): 1 if i % 2 == 0 else 2 for i in range(10)
    }
    await consumer.stop()


@test
async def a_group_shares_the_shards(client):
    made, subscription = await stream(client, shard_count=4), name("sub")
    await client.create_subscription(subscription, made, offset=SpecialOffset.EARLIEST)
    group = [Collector(client, subscription, 1) for _ in range(4)]
    await asyncio.sleep(0.5)
    for i in range(200):
        await client.append(made, [f"{i}"], key=f"k{i}")
    await asyncio.gather(*(consumer.wait() for consumer in group))
    deadline = time.monotonic() + 20
    while sum(len(c.records) for c in group) < 200 and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    all_payloads = sorted(p for c in group for p in c.payloads())
    assert all_payloads == sorted(f"{i}".encode() for i in range(200))
    for consumer in group:
        await consumer.stop()


@test
async def a_consumer_stops_itself(client):
    made, subscription = await stream(client), name("sub")
    await client.create_subscription(subscription, made, offset=SpecialOffset.EARLIEST)
    await client.append(made, [{"n": 1, "deep": {"list": [1, "a", None]}}])
    found = []

    async def take(ack, stop, records):
        found.extend(record.payload for record in records)
        await stop()

    await asyncio.wait_for(client.new_consumer("one", subscription, take).start(), 10)
    assert found == [{"n": 1, "deep": {"list": [1, "a", None]}}]


@test
async def another_of_the_group_gets_what_one_that_died_had_not_acked(client):
    made, subscription = await stream(client), name("sub")
    await client.create_subscription(subscription, made, ack_timeout=1, offset=SpecialOffset.EARLIEST)
    await client.append(made, [f"{i}" for i in range(10)])
    first = Collector(client, subscription, 10, acked=lambda record: int(record.payload) < 4)
    await first.wait()
    second = Collector(client, subscription, 6)
    await first.stop()
    assert sorted(await second.wait()) == [f"{i}".encode() for i in range(4, 10)]
    await second.stop()


@test
async def consumers_are_refused(client):
    made, subscription = await stream(client), name("sub")
    await client.create_subscription(subscription, made)
    first = Collector(client, subscription, 1, consumer="one")
    await asyncio.sleep(0.3)
    second = Collector(client, subscription, 1, consumer="one")
    await refused(second.task, grpc.StatusCode.ALREADY_EXISTS)
    await refused(Collector(client, name("absent"), 1).task, grpc.StatusCode.NOT_FOUND)
    await refused(client.delete_subscription(subscription), grpc.StatusCode.FAILED_PRECONDITION)
    await client.delete_subscription(subscription, force=True)
    await refused(first.task, grpc.StatusCode.ABORTED)


@test
async def a_deleted_stream_still_feeds_its_subscriptions(client):
    made, subscription = await stream(client), name("sub")
    await client.append(made, ["kept"])
    await client.create_subscription(subscription, made, offset=SpecialOffset.EARLIEST)
    await client.delete_stream(made, force=True)
    await client.create_stream(made)
    [found] = [s for s in await client.list_subscriptions() if s.subscription_id == subscription]
    assert found.stream_name == "__deleted_stream__"
    consumer = Collector(client, subscription, 1)
    assert await consumer.wait() == [b"kept"]
    await consumer.stop()
    await client.delete_subscription(subscription)


@test
async def a_new_consumer_goes_on_where_the_last_one_stopped(client):
    made, subscription = await stream(client), name("sub")
    await client.create_subscription(subscription, made, ack_timeout=1, offset=SpecialOffset.EARLIEST)
    await client.append(made, ["1", "2"])
    first = Collector(client, subscription, 2)
    assert await first.wait() == [b"1", b"2"]
    await first.stop()
    await client.append(made, ["3"])
    second = Collector(client, subscription, 1)
    assert await second.wait() == [b"3"]
    await asyncio.sleep(1.5)
    assert second.payloads() == [b"3"]
    await second.stop()


@test
async def readers_begin_at_every_kind_of_offset(client):
    made = await stream(client)
    ids = []
    for i in range(5):
        ids += await client.append(made, [f"{i}"])
        await asyncio.sleep(0.005)
    now = int(time.time() * 1000)

    async def read(offset, batches=10, timeout=50):
        async with client.with_reader(made, name("reader"), offset, timeout) as reader:
            return [r.payload for r in await reader.read(batches)]

    everything = [f"{i}".encode() for i in range(5)]
    assert await read(earliest()) == everything
    assert await read(earliest(), batches=2) == everything[:2]
    assert await read(latest()) == []
    assert await read(ShardOffset(recordOffset=record_id_to(ids[3]))) == everything[3:]
    timestamp = lambda ms: ShardOffset(timestampOffset=api.TimestampOffset(timestampInMs=ms, strictAccuracy=True))
    assert await read(timestamp(0)) == everything
    assert await read(timestamp(now + 60_000)) == []


@test
async def readers_begin_within_a_batch_and_between_batches(client):
    made = await stream(client)
    first = list(await client.append(made, ["a", "b"], compresstype="gzip"))
    await asyncio.sleep(0.01)
    between = int(time.time() * 1000)
    await client.append(made, ["c"])

    async def read(offset):
        async with client.with_reader(made, name("reader"), offset, 50) as reader:
            return [r.payload for r in await reader.read(10)]

    # A batch comes as a whole.
    assert await read(ShardOffset(recordOffset=record_id_to(first[1]))) == [b"a", b"b", b"c"]
    at = api.TimestampOffset(timestampInMs=between, strictAccuracy=False)
    assert await read(ShardOffset(timestampOffset=at)) == [b"c"]


@test
async def readers_find_the_shard_of_a_key(client):
    made = await stream(client, shard_count=5)
    for i in range(20):
        await client.append(made, [f"{i}"], key=f"k{i}")
    async with client.with_reader(made, name("reader"), earliest(), 1000, stream_key="k7") as reader:
        assert b"7" in [r.payload for r in await reader.read(100)]


@test
async def a_reader_is_gone_at_the_end_of_its_block(client):
    made, reader = await stream(client), name("reader")

    async def break_off():
        async with client.with_reader(made, reader, earliest(), 0):
            raise ZeroDivisionError

    await fails(break_off(), ZeroDivisionError)
    await client.create_reader(made, reader, earliest(), 0)
    await client.delete_reader(reader)


@test
async def a_reader_keeps_its_place_and_waits(client):
    made, reader = await stream(client), name("reader")
    await client.create_reader(made, reader, latest(), timeout=20_000)
    waiting = asyncio.create_task(client.read_reader(reader, 10))
    await asyncio.sleep(0.1)
    await client.append(made, ["new"])
    assert [r.payload for r in await waiting] == [b"new"]
    await client.append(made, ["next"])
    assert [r.payload for r in await client.read_reader(reader, 10)] == [b"next"]
    await client.delete_reader(reader)


@test
async def readers_are_refused(client):
    made, reader = await stream(client), name("reader")
    [shard] = await client.list_shards(made)
    await client.create_reader(made, reader, earliest(), 0)
    await refused(client.create_reader(made, reader, earliest(), 0), grpc.StatusCode.ALREADY_EXISTS)
    await refused(client.create_reader(made, "1", earliest(), 0), grpc.StatusCode.INVALID_ARGUMENT)
    await refused(client.create_reader(made, "r", None, 0), grpc.StatusCode.INVALID_ARGUMENT)
    await refused(client.create_reader(made, "r", earliest(), 0, shard_id=1), grpc.StatusCode.NOT_FOUND)
    elsewhere = ShardOffset(recordOffset=record_id_to(RecordId(shard.id + 1, 1, 0)))
    await refused(client.create_reader(made, "r", elsewhere, 0), grpc.StatusCode.INVALID_ARGUMENT)
    await refused(client.read_reader("absent", 1), grpc.StatusCode.FAILED_PRECONDITION)
    await refused(client.delete_reader("absent"), grpc.StatusCode.FAILED_PRECONDITION)


@test
async def a_slow_consumer_is_held_back_and_misses_nothing(client):
    made, subscription = await stream(client), name("sub")
    await client.create_subscription(subscription, made, max_unacks=10, offset=SpecialOffset.EARLIEST)
    for i in range(30):
        await client.append(made, [f"{i}"])
    late = []

    async def take(ack, stop, records):
        late.extend(record.id for record in records)

    silent = client.new_consumer("silent", subscription, take)
    task = asyncio.create_task(silent.start())
    await asyncio.sleep(1)
    assert 10 <= len(late) < 30, len(late)
    await silent._ack(late[:])
    await asyncio.sleep(1)
    assert len(late) > 10
    await silent._stop()
    await asyncio.wait_for(task, 10)


@once
async def a_certificate_of_the_client_lets_it_in():
    host, port = place("MUTUAL_")
    folder = os.environ["HSTREAM_SECRETS"]
    files = {
        "root_certificates": f"{folder}/ca.crt",
        "private_key": f"{folder}/client.key",
        "certificate_chain": f"{folder}/client.crt",
    }
    contents = {option: secret(os.path.basename(path)) for option, path in files.items()}
    async with await secure_client(host, port, **contents) as secure:
        await works(secure)
    async with await secure_client(url=f"hstreams://{host}:{port}", is_creds_file=True, **files) as secure:
        await works(secure)
    try:
        await secure_client(host, port, root_certificates=secret("ca.crt"))
        raise AssertionError("a client without a certificate came in")
    except (grpc.aio.AioRpcError, RuntimeError):
        pass


@once
async def a_wrong_token_lets_nobody_in():
    async with with_token("wrong") as secure:
        await refused(secure.init_cluster_info(), grpc.StatusCode.UNAUTHENTICATED)


@once
async def urls_name_the_server():
    host, port = place("")
    async with await insecure_client(url=f"hstream://{host}:{port}") as client:
        await works(client)
    await fails(insecure_client(url=f"http://{host}:{port}"), KeyError)
    await fails(secure_client(url=f"hstream://{host}:{port}"), KeyError)


@once
async def a_server_that_is_gone_is_an_error():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    await refused(insecure_client(port=port), grpc.StatusCode.UNAVAILABLE)
    async with HStreamDBClient(port=port) as client:
        await fails(client.list_streams(), RuntimeError)


@test
async def a_restart_of_the_server_loses_nothing(client):
    made, subscription = await stream(client, shard_count=2), name("sub")
    await client.create_subscription(subscription, made, ack_timeout=600, offset=SpecialOffset.EARLIEST)
    for i in range(50):
        await client.append(made, [f"{i}"], key=f"k{i}")
    consumer = Collector(client, subscription, 50, acked=lambda record: int(record.payload) < 25)
    await consumer.wait()
    await asyncio.sleep(0.3)
    await restart()
    await refused(consumer.task, grpc.StatusCode.UNAVAILABLE)
    # The client drops its only target when that is gone; programs connect again.
    async with await connect() as fresh:
        for i in range(50, 60):
            await fresh.append(made, [f"{i}"], key=f"k{i}")
        again = Collector(fresh, subscription, 35)
        assert sorted(await again.wait()) == sorted(f"{i}".encode() for i in range(25, 60))
        await again.stop()


@test
async def a_reader_survives_a_restart(client):
    made, reader = await stream(client), name("reader")
    await client.append(made, ["1"])
    await client.create_reader(made, reader, earliest(), timeout=100)
    assert [r.payload for r in await client.read_reader(reader, 10)] == [b"1"]
    await restart()
    async with await connect() as fresh:
        await fresh.append(made, ["2"])
        # Its place was the server's memory; where it began is kept.
        assert [r.payload for r in await fresh.read_reader(reader, 10)] == [b"1", b"2"]
        await fresh.delete_reader(reader)


@test
async def a_buffered_producer_tries_again_through_a_restart(client):
    made = await stream(client)
    outcome = Outcome()
    producer = client.new_producer(append_callback=outcome, size_trigger=100, time_trigger=0.05, retry_count=6)
    for i in range(200):
        await producer.append(made, f"{i:03}")
        if i == 100:
            await restart()
    await producer.wait_and_close()
    assert outcome.failed == [] and sum(outcome.stored) == 200, (outcome.stored, outcome.failed)
    async with await connect() as fresh, fresh.with_reader(made, name("reader"), earliest(), 1000) as reader:
        found = [r.payload for r in await reader.read(1000)]
        # What was tried again may have been stored twice, but in order.
        assert sorted(set(found)) == [f"{i:03}".encode() for i in range(200)]


async def main():
    global connect, server
    passed = failed = 0
    chosen = sys.argv[1:]

    async def over(client_of, work):
        async with await client_of() as client:
            await work(client)

    for connection, (make, to) in connections.items():
        connect, server = make, to
        cases = [(work, lambda work=work: over(make, work), connection) for work in tests]
        if connection == "plain":
            cases += [(work, work, "by itself") for work in only_once]
        for work, run, how in cases:
            title = f"{work.__name__.replace('_', ' ')} ({how})"
            if chosen and work.__name__ not in chosen:
                continue
            try:
                await asyncio.wait_for(run(), 60)
                passed += 1
                print(f"ok      {title}", flush=True)
            except Exception:
                failed += 1
                print(f"FAILED  {title}\n{traceback.format_exc()}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


logging.getLogger("asyncio").setLevel(logging.CRITICAL)
asyncio.run(main())
