/**
 * Nexmark's events, after section 1 of the benchmark's description: persons, auctions and bids in one sequence,
 * 1 : 3 : 46 in every 50, each made from (seed, event id) alone. Event ids start at 0.
 *
 * Draw order. Person: first name, last name, e-mail, four card groups, city, state, extra. Auction: hot
 * seller?, seller, category, initial bid, expires, item name, description, reserve, extra. Bid: hot auction?,
 * auction, hot bidder?, bidder, price, hot channel?, channel, extra.
 */
import { Draws } from "./random.mjs";

const firstNames = "Peter Paul Luke John Saul Vicky Kate Julie Sarah Deiter Walter".split(" ");
const lastNames = "Shultz Abrams Spencer White Bartels Walton Smith Jones Noris".split(" ");
const cities = [
  "Phoenix",
  "Los Angeles",
  "San Francisco",
  "Boise",
  "Portland",
  "Bend",
  "Redmond",
  "Seattle",
  "Kent",
  "Cheyenne",
];
const states = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const hotChannels = ["Google", "Facebook", "Baidu", "Apple"];

const idBase = 1000;
const categoryBase = 10;
const inFlightAuctions = 100;
const activePeople = 1000;
const lead = 10;
const averageBytes = { person: 200, auction: 500, bid: 100 };
const kinds = { event: 0, channel: 1, hotChannel: 2 };

/** 0-based number of the last person at an event. */
const lastPerson = (event) => Math.floor(event / 50);

/** 0-based number of the last auction at an event. */
function lastAuction(event) {
  const [k, o] = [Math.floor(event / 50), event % 50];
  if (o === 0) return 3 * (k - 1) + 2;
  return 3 * k + Math.min(o, 3) - 1;
}

export class Nexmark {
  #seed;
  #baseTimeMs;
  #eventsPerSecond;
  #draws = new Draws();
  #channels;

  /** `eventsPerSecond` is of event time. */
  constructor({ seed = 1, eventsPerSecond = 10_000, baseTimeMs = 1_436_918_400_000 } = {}) {
    this.#seed = seed;
    this.#eventsPerSecond = eventsPerSecond;
    this.#baseTimeMs = baseTimeMs;
    this.#channels = Array.from({ length: 10_000 }, (_, i) => this.#channel(i));
    this.hotUrls = hotChannels.map((_, i) => {
      this.#draws.seed(seed, kinds.hotChannel, i);
      return this.#url();
    });
  }

  /** "person", "auction" or "bid". */
  kindOf(event) {
    const o = event % 50;
    return o === 0 ? "person" : o <= 3 ? "auction" : "bid";
  }

  timeOf(event) {
    const micros = Math.floor((event * 1_000_000) / this.#eventsPerSecond);
    return this.#baseTimeMs + Math.floor(micros / 1000);
  }

  /** The event's record; times are milliseconds. */
  event(event) {
    this.#draws.seed(this.#seed, kinds.event, event);
    switch (this.kindOf(event)) {
      case "person":
        return this.#person(event);
      case "auction":
        return this.#auction(event);
      default:
        return this.#bid(event);
    }
  }

  /** The first `count` events of a kind, in order. */
  *ofKind(kind, count) {
    for (let event = 0, made = 0; made < count; event++) {
      if (this.kindOf(event) !== kind) continue;
      made += 1;
      yield this.event(event);
    }
  }

  #person(event) {
    const draws = this.#draws;
    const name = `${pick(draws, firstNames)} ${pick(draws, lastNames)}`;
    const email_address = `${this.#text(7)}@${this.#text(5)}.com`;
    const card = Array.from({ length: 4 }, () => String(draws.below(10_000)).padStart(4, "0"));
    const credit_card = card.join(" ");
    const city = pick(draws, cities);
    const state = pick(draws, states);
    const bytes = 8 + name.length + email_address.length + credit_card.length + city.length + state.length;
    return {
      id: idBase + lastPerson(event),
      name,
      email_address,
      credit_card,
      city,
      state,
      date_time: this.timeOf(event),
      extra: this.#extra(bytes, averageBytes.person),
    };
  }

  #auction(event) {
    const draws = this.#draws;
    const isHot = draws.below(4) > 0;
    const seller = isHot ? Math.floor(lastPerson(event) / 100) * 100 : this.#activePerson(event);
    const category = categoryBase + draws.below(5);
    const initial_bid = this.#price();
    const horizon = this.timeOf(event + Math.floor((inFlightAuctions * 50) / 3)) - this.timeOf(event);
    const expires = this.timeOf(event) + 1 + draws.below(Math.max(2 * horizon, 1));
    const item_name = this.#text(20);
    const description = this.#text(100);
    const reserve = initial_bid + this.#price();
    return {
      id: idBase + lastAuction(event),
      item_name,
      description,
      initial_bid,
      reserve,
      date_time: this.timeOf(event),
      expires,
      seller: idBase + seller,
      category,
      extra: this.#extra(48 + item_name.length + description.length, averageBytes.auction),
    };
  }

  #bid(event) {
    const draws = this.#draws;
    const last = lastAuction(event);
    const isHotAuction = draws.below(2) > 0;
    const oldest = Math.max(last - inFlightAuctions, 0);
    const auction = isHotAuction
      ? Math.floor(last / 100) * 100
      : oldest + draws.below(last - oldest + 1 + lead);
    const isHotBidder = draws.below(4) > 0;
    const bidder = isHotBidder ? Math.floor(lastPerson(event) / 100) * 100 + 1 : this.#activePerson(event);
    const price = this.#price();
    const isHotChannel = draws.below(2) > 0;
    const number = draws.below(isHotChannel ? hotChannels.length : this.#channels.length);
    return {
      auction: idBase + auction,
      bidder: idBase + bidder,
      price,
      channel: isHotChannel ? hotChannels[number] : `channel-${number}`,
      url: isHotChannel ? this.hotUrls[number] : this.#channels[number],
      date_time: this.timeOf(event),
      extra: this.#extra(32, averageBytes.bid),
    };
  }

  #activePerson(event) {
    const people = lastPerson(event) + 1;
    const active = Math.min(people, activePeople);
    return people - active + this.#draws.below(active + lead);
  }

  /** Cents, log-uniform over 100 … 100,000,000. */
  #price() {
    return Math.round(100 * 10 ** (6 * this.#draws.unit()));
  }

  /** A blank with odds 1/13, else a letter; 3 … max − 1 characters, trimmed. */
  #text(max) {
    return this.#letters(3 + this.#draws.below(max - 3), " ").trim();
  }

  #letters(length, blank) {
    let text = "";
    for (let i = 0; i < length; i++) {
      text += this.#draws.below(13) === 0 ? blank : String.fromCharCode(97 + this.#draws.below(26));
    }
    return text;
  }

  #extra(bytes, average) {
    if (bytes > average) return "";
    const wanted = average - bytes;
    const spread = Math.round(0.2 * wanted);
    const length = wanted - spread + this.#draws.below(2 * spread);
    let text = "";
    for (let i = 0; i < length; i++) text += String.fromCharCode(97 + this.#draws.below(26));
    return text;
  }

  #url() {
    const part = () => this.#letters(3 + this.#draws.below(2), "_");
    return `https://www.nexmark.com/${part()}/${part()}/${part()}/item.htm?query=1`;
  }

  #channel(number) {
    this.#draws.seed(this.#seed, kinds.channel, number);
    const url = this.#url();
    return this.#draws.below(10) < 9 ? `${url}&channel_id=${Math.abs(reversed(number))}` : url;
  }
}

function pick(draws, list) {
  return list[draws.below(list.length)];
}

/** The 32 bits in reverse, as a signed number. */
function reversed(number) {
  let result = 0;
  for (let bit = 0; bit < 32; bit++) result |= ((number >>> bit) & 1) << (31 - bit);
  return result;
}
