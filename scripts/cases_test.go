package scripts_test

import "github.com/statelink/statelink/scripts"

// data is all that Redis holds for one user and one service. The link is to service "chat".
type data struct {
	link   string            // pod of the link string; "" = no link
	ttl    int               // seconds that the link has left; 0 = persistent
	index  map[string]string // the user hash
	states map[string]string // the state hash; STALE, FRESH, AHEAD and NOW stand for a heartbeat
}

// behaviour is one branch of one script.
type behaviour struct {
	script string
	name   string
	args   []any
	given  data
	reply  []any
	fails  string // part of the error; then there is no reply
	want   *data  // nil = exactly as given, and no write command was issued
}

const (
	soon  = 60  // seconds that a test asks for
	later = 900 // seconds that a link given to a test has left
)

type hash = map[string]string

var cases = concat(setCases, ifAbsentCases, tryCases, removeCases, withIDCases, computeCases, readerCases, stateCases)

func concat(lists ...[]behaviour) (all []behaviour) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func list(items ...any) []any { return append([]any{}, items...) }

var setCases = []behaviour{
	{
		script: scripts.SetLink, name: "first link, persistent", args: list("chat", "3", "-1"),
		reply: list("-1"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.SetLink, name: "first link, temporary", args: list("chat", "3", soon),
		reply: list("-1"), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.SetLink, name: "same persistent link again", args: list("chat", "3", "-1"),
		given: data{link: "3", index: hash{"chat": "3", "game": "9"}}, reply: list("3"),
	}, {
		script: scripts.SetLink, name: "pod 0 is a pod", args: list("chat", "0", "-1"),
		given: data{link: "0", index: hash{"chat": "0"}}, reply: list("0"),
	}, {
		script: scripts.SetLink, name: "persistent to another pod", args: list("chat", "3", "-1"),
		given: data{link: "5", index: hash{"chat": "5", "game": "9"}},
		reply: list("5"), want: &data{link: "3", index: hash{"chat": "3", "game": "9"}},
	}, {
		script: scripts.SetLink, name: "temporary becomes persistent", args: list("chat", "3", "-1"),
		given: data{link: "3", ttl: later},
		reply: list("3"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.SetLink, name: "temporary with a stale field becomes persistent", args: list("chat", "3", "-1"),
		given: data{link: "3", ttl: later, index: hash{"chat": "3"}},
		reply: list("3"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.SetLink, name: "temporary to another pod, persistent", args: list("chat", "3", "-1"),
		given: data{link: "5", ttl: later},
		reply: list("5"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.SetLink, name: "persistent becomes temporary", args: list("chat", "3", soon),
		given: data{link: "3", index: hash{"chat": "3"}},
		reply: list("3"), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.SetLink, name: "persistent becomes temporary on another pod", args: list("chat", "3", soon),
		given: data{link: "5", index: hash{"chat": "5", "game": "9"}},
		reply: list("5"), want: &data{link: "3", ttl: soon, index: hash{"game": "9"}},
	}, {
		script: scripts.SetLink, name: "temporary again starts its time anew", args: list("chat", "3", soon),
		given: data{link: "3", ttl: later},
		reply: list("3"), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.SetLink, name: "lost field is put back", args: list("chat", "3", "-1"),
		given: data{link: "3", index: hash{"game": "9"}},
		reply: list("3"), want: &data{link: "3", index: hash{"chat": "3", "game": "9"}},
	}, {
		script: scripts.SetLink, name: "wrong field is put right", args: list("chat", "3", "-1"),
		given: data{link: "3", index: hash{"chat": "5"}},
		reply: list("3"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.SetLink, name: "stale field, persistent", args: list("chat", "3", "-1"),
		given: data{index: hash{"chat": "3"}},
		reply: list("-1"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.SetLink, name: "stale field, temporary", args: list("chat", "3", soon),
		given: data{index: hash{"chat": "3"}},
		reply: list("-1"), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.SetLink, name: "ttl 0", args: list("chat", "3", "0"),
		given: data{link: "5", index: hash{"chat": "5"}}, fails: "invalid expire time",
	}, {
		script: scripts.SetLink, name: "ttl below -1", args: list("chat", "3", "-2"),
		given: data{link: "5", index: hash{"chat": "5"}}, fails: "invalid expire time",
	}, {
		script: scripts.SetLink, name: "ttl not a number", args: list("chat", "3", "soon"),
		given: data{link: "5", index: hash{"chat": "5"}}, fails: "not an integer",
	},
}

var ifAbsentCases = []behaviour{
	{
		script: scripts.SetLinkIfAbsent, name: "first link, persistent", args: list("chat", "3", "-1"),
		given: data{index: hash{"game": "9"}},
		reply: list("3"), want: &data{link: "3", index: hash{"chat": "3", "game": "9"}},
	}, {
		script: scripts.SetLinkIfAbsent, name: "first link, temporary", args: list("chat", "0", soon),
		reply: list("0"), want: &data{link: "0", ttl: soon},
	}, {
		script: scripts.SetLinkIfAbsent, name: "persistent link stays", args: list("chat", "3", "-1"),
		given: data{link: "5", index: hash{"chat": "5"}}, reply: list("5"),
	}, {
		script: scripts.SetLinkIfAbsent, name: "persistent link stays persistent", args: list("chat", "0", soon),
		given: data{link: "0", index: hash{"chat": "0"}}, reply: list("0"),
	}, {
		script: scripts.SetLinkIfAbsent, name: "temporary link stays temporary", args: list("chat", "5", "-1"),
		given: data{link: "5", ttl: later}, reply: list("5"),
	}, {
		script: scripts.SetLinkIfAbsent, name: "temporary link keeps its time", args: list("chat", "3", soon),
		given: data{link: "5", ttl: later}, reply: list("5"),
	}, {
		script: scripts.SetLinkIfAbsent, name: "lost field stays lost", args: list("chat", "3", "-1"),
		given: data{link: "3"}, reply: list("3"),
	}, {
		script: scripts.SetLinkIfAbsent, name: "stale field, persistent", args: list("chat", "3", "-1"),
		given: data{index: hash{"chat": "5"}},
		reply: list("3"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.SetLinkIfAbsent, name: "stale field, temporary", args: list("chat", "3", soon),
		given: data{index: hash{"chat": "5", "game": "9"}},
		reply: list("3"), want: &data{link: "3", ttl: soon, index: hash{"game": "9"}},
	}, {
		script: scripts.SetLinkIfAbsent, name: "ttl 0", args: list("chat", "3", "0"),
		given: data{index: hash{"chat": "5"}}, fails: "invalid expire time",
	},
}

var tryCases = []behaviour{
	{
		script: scripts.TrySetLink, name: "first link, persistent", args: list("chat", "3", "-1"),
		reply: list("3", "-1"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.TrySetLink, name: "first link, temporary", args: list("chat", "3", soon),
		reply: list("3", "-1"), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.TrySetLink, name: "persistent link to another pod wins", args: list("chat", "3", "-1"),
		given: data{link: "0", index: hash{"chat": "0"}}, reply: list("0", "0"),
	}, {
		script: scripts.TrySetLink, name: "persistent link wins against a temporary one", args: list("chat", "3", soon),
		given: data{link: "5", index: hash{"chat": "5"}}, reply: list("5", "5"),
	}, {
		script: scripts.TrySetLink, name: "persistent link without its field wins", args: list("chat", "3", "-1"),
		given: data{link: "5"}, reply: list("5", "5"),
	}, {
		script: scripts.TrySetLink, name: "same persistent link again", args: list("chat", "3", "-1"),
		given: data{link: "3", index: hash{"chat": "3", "game": "9"}}, reply: list("3", "3"),
	}, {
		script: scripts.TrySetLink, name: "persistent becomes temporary on the same pod", args: list("chat", "3", soon),
		given: data{link: "3", index: hash{"chat": "3"}},
		reply: list("3", "3"), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.TrySetLink, name: "temporary to another pod, persistent", args: list("chat", "3", "-1"),
		given: data{link: "5", ttl: later, index: hash{"game": "9"}},
		reply: list("3", "5"), want: &data{link: "3", index: hash{"chat": "3", "game": "9"}},
	}, {
		script: scripts.TrySetLink, name: "temporary to another pod, temporary", args: list("chat", "3", soon),
		given: data{link: "5", ttl: later},
		reply: list("3", "5"), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.TrySetLink, name: "temporary becomes persistent", args: list("chat", "3", "-1"),
		given: data{link: "3", ttl: later, index: hash{"chat": "3"}},
		reply: list("3", "3"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.TrySetLink, name: "lost field is put back", args: list("chat", "3", "-1"),
		given: data{link: "3"},
		reply: list("3", "3"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.TrySetLink, name: "stale field, persistent", args: list("chat", "3", "-1"),
		given: data{index: hash{"chat": "5"}},
		reply: list("3", "-1"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.TrySetLink, name: "stale field, temporary", args: list("chat", "3", soon),
		given: data{link: "5", ttl: later, index: hash{"chat": "5"}},
		reply: list("3", "5"), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.TrySetLink, name: "ttl 0", args: list("chat", "3", "0"),
		given: data{link: "3", index: hash{"chat": "3"}}, fails: "invalid expire time",
	},
}

var removeCases = []behaviour{
	{
		script: scripts.RemoveLink, name: "nothing there, now", args: list("chat", "-1"),
		given: data{index: hash{"game": "9"}}, reply: list(int64(0)),
	}, {
		script: scripts.RemoveLink, name: "nothing there, later", args: list("chat", soon),
		reply: list(int64(0)),
	}, {
		script: scripts.RemoveLink, name: "stale field alone", args: list("chat", soon),
		given: data{index: hash{"chat": "3", "game": "9"}},
		reply: list(int64(0)), want: &data{index: hash{"game": "9"}},
	}, {
		script: scripts.RemoveLink, name: "persistent, ttl -1", args: list("chat", "-1"),
		given: data{link: "3", index: hash{"chat": "3"}},
		reply: list(int64(1)), want: &data{},
	}, {
		script: scripts.RemoveLink, name: "persistent, ttl 0", args: list("chat", "0"),
		given: data{link: "0", index: hash{"chat": "0", "game": "9"}},
		reply: list(int64(1)), want: &data{index: hash{"game": "9"}},
	}, {
		script: scripts.RemoveLink, name: "persistent, later", args: list("chat", soon),
		given: data{link: "3", index: hash{"chat": "3"}},
		reply: list(int64(1)), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.RemoveLink, name: "temporary, now", args: list("chat", "-1"),
		given: data{link: "3", ttl: later},
		reply: list(int64(1)), want: &data{},
	}, {
		script: scripts.RemoveLink, name: "temporary, later", args: list("chat", soon),
		given: data{link: "3", ttl: later, index: hash{"chat": "3"}},
		reply: list(int64(1)), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.RemoveLink, name: "persistent without its field", args: list("chat", "-1"),
		given: data{link: "3", index: hash{"game": "9"}},
		reply: list(int64(1)), want: &data{index: hash{"game": "9"}},
	}, {
		script: scripts.RemoveLink, name: "ttl not a number", args: list("chat", "soon"),
		given: data{link: "3", index: hash{"chat": "3"}}, fails: "not an integer",
	},
}

var withIDCases = []behaviour{
	{
		script: scripts.RemoveLinkWithId, name: "nothing there", args: list("chat", "-1", "3"),
		given: data{index: hash{"game": "9"}}, reply: list(int64(0)),
	}, {
		script: scripts.RemoveLinkWithId, name: "stale field alone stays", args: list("chat", "-1", "3"),
		given: data{index: hash{"chat": "3"}}, reply: list(int64(0)),
	}, {
		script: scripts.RemoveLinkWithId, name: "another pod, now", args: list("chat", "0", "1"),
		given: data{link: "10", index: hash{"chat": "10"}}, reply: list(int64(0)),
	}, {
		script: scripts.RemoveLinkWithId, name: "another pod, later", args: list("chat", soon, "3"),
		given: data{link: "0", ttl: later}, reply: list(int64(0)),
	}, {
		script: scripts.RemoveLinkWithId, name: "persistent, ttl -1", args: list("chat", "-1", "0"),
		given: data{link: "0", index: hash{"chat": "0"}},
		reply: list(int64(1)), want: &data{},
	}, {
		script: scripts.RemoveLinkWithId, name: "persistent, ttl 0", args: list("chat", "0", "3"),
		given: data{link: "3", index: hash{"chat": "3", "game": "9"}},
		reply: list(int64(1)), want: &data{index: hash{"game": "9"}},
	}, {
		script: scripts.RemoveLinkWithId, name: "persistent, later", args: list("chat", soon, "3"),
		given: data{link: "3", index: hash{"chat": "3"}},
		reply: list(int64(1)), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.RemoveLinkWithId, name: "temporary, now", args: list("chat", "-1", "3"),
		given: data{link: "3", ttl: later},
		reply: list(int64(1)), want: &data{},
	}, {
		script: scripts.RemoveLinkWithId, name: "temporary, later", args: list("chat", soon, "3"),
		given: data{link: "3", ttl: later, index: hash{"chat": "3"}},
		reply: list(int64(1)), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.RemoveLinkWithId, name: "ttl not a number", args: list("chat", "soon", "3"),
		given: data{link: "3", index: hash{"chat": "3"}}, fails: "not an integer",
	},
}

var computeCases = []behaviour{
	{
		script: scripts.ComputeLinkIfAbsent, name: "first link, persistent", args: list("chat", "-1", "3", "-1"),
		reply: list("3", "-1"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "first link, temporary", args: list("chat", soon, "3", "-1"),
		reply: list("3", "-1"), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "expected link is gone", args: list("chat", "-1", "3", "5"),
		given: data{index: hash{"game": "9"}},
		reply: list("3", "-1"), want: &data{link: "3", index: hash{"chat": "3", "game": "9"}},
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "stale field, persistent", args: list("chat", "-1", "3", "5"),
		given: data{index: hash{"chat": "5"}},
		reply: list("3", "-1"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "stale field, temporary", args: list("chat", soon, "3", "-1"),
		given: data{index: hash{"chat": "5"}},
		reply: list("3", "-1"), want: &data{link: "3", ttl: soon},
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "persistent link stays", args: list("chat", "-1", "3", "-1"),
		given: data{link: "0", index: hash{"chat": "0"}}, reply: list("0", "0"),
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "temporary link stays", args: list("chat", "-1", "3", "-1"),
		given: data{link: "5", ttl: later}, reply: list("5", "5"),
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "moved on by another caller", args: list("chat", "-1", "3", "5"),
		given: data{link: "7", index: hash{"chat": "7"}}, reply: list("7", "7"),
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "moved to the candidate by another caller", args: list("chat", soon, "3", "5"),
		given: data{link: "3", index: hash{"chat": "3"}}, reply: list("3", "3"),
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "dead pod is replaced", args: list("chat", "-1", "3", "0"),
		given: data{link: "0", index: hash{"chat": "0", "game": "9"}},
		reply: list("3", "0"), want: &data{link: "3", index: hash{"chat": "3", "game": "9"}},
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "dead pod is replaced for a time", args: list("chat", soon, "3", "5"),
		given: data{link: "5", index: hash{"chat": "5", "game": "9"}},
		reply: list("3", "5"), want: &data{link: "3", ttl: soon, index: hash{"game": "9"}},
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "temporary link to the dead pod is replaced", args: list("chat", "-1", "3", "5"),
		given: data{link: "5", ttl: later},
		reply: list("3", "5"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "candidate is the expected pod", args: list("chat", "-1", "3", "3"),
		given: data{link: "3", index: hash{"chat": "3"}}, reply: list("3", "3"),
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "temporary link to candidate and expected pod", args: list("chat", "-1", "3", "3"),
		given: data{link: "3", ttl: later, index: hash{"chat": "3"}},
		reply: list("3", "3"), want: &data{link: "3", index: hash{"chat": "3"}},
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "expecting none never matches a link", args: list("chat", "-1", "3", "-1"),
		given: data{link: "-1"}, reply: list("-1", "-1"),
	}, {
		script: scripts.ComputeLinkIfAbsent, name: "ttl 0", args: list("chat", "0", "3", "5"),
		given: data{link: "5", index: hash{"chat": "5"}}, fails: "invalid expire time",
	},
}

var readerCases = []behaviour{
	{
		script: scripts.GetLinkIfPersist, name: "no link", args: list(),
		given: data{index: hash{"chat": "3"}}, reply: list("-1"),
	}, {
		script: scripts.GetLinkIfPersist, name: "persistent", args: list(),
		given: data{link: "0", index: hash{"chat": "0"}}, reply: list("0"),
	}, {
		script: scripts.GetLinkIfPersist, name: "persistent without its field", args: list(),
		given: data{link: "3"}, reply: list("3"),
	}, {
		script: scripts.GetLinkIfPersist, name: "temporary", args: list(),
		given: data{link: "3", ttl: later}, reply: list("-1"),
	}, {
		script: scripts.GetLinkService, name: "no user", args: list(),
		given: data{link: "3", ttl: later}, reply: list(),
	}, {
		script: scripts.GetLinkService, name: "two links", args: list(),
		given: data{index: hash{"chat": "0", "game": "9"}}, reply: list("chat", "0", "game", "9"),
	}, {
		script: scripts.GetService, name: "no service", args: list(),
		reply: list("NOW"),
	}, {
		script: scripts.GetService, name: "all states as stored", args: list(),
		given: data{states: hash{"0": "4-FRESH-1", "1": "2-STALE-2", "x": "y"}},
		reply: list("NOW", "0", "4-FRESH-1", "1", "2-STALE-2", "x", "y"),
	},
}

var stateCases = []behaviour{
	{
		script: scripts.SetState, name: "first state", args: list("0", "7", "1"),
		reply: list(""), want: &data{states: hash{"0": "7-NOW-1"}},
	}, {
		script: scripts.SetState, name: "next state", args: list("0", "0", "2"),
		given: data{states: hash{"0": "7-STALE-1", "1": "2-FRESH-1"}},
		reply: list("7-STALE-1"), want: &data{states: hash{"0": "0-NOW-2", "1": "2-FRESH-1"}},
	}, {
		script: scripts.SetState, name: "state of a foreign writer", args: list("3", "9007199254740993", "0"),
		given: data{states: hash{"3": "busy"}},
		reply: list("busy"), want: &data{states: hash{"3": "9007199254740993-NOW-0"}},
	}, {
		script: scripts.GetServicePod, name: "no service", args: list("10000", "0"),
		reply: list(),
	}, {
		script: scripts.GetServicePod, name: "least loaded first, numbers not text", args: list("10000", "0"),
		given: data{states: hash{"0": "100-FRESH-1", "1": "20-FRESH-1", "10": "3-FRESH-1", "2": "3-FRESH-1", "9": "0-FRESH-1"}},
		reply: list("9", "0", "2", "3", "10", "3", "1", "20", "0", "100"),
	}, {
		script: scripts.GetServicePod, name: "only ready pods", args: list("10000", "0"),
		given: data{states: hash{"0": "1-FRESH-0", "1": "1-FRESH-2", "2": "9-FRESH-1", "3": "1-FRESH-11"}},
		reply: list("2", "9"),
	}, {
		script: scripts.GetServicePod, name: "only fresh pods", args: list("10000", "0"),
		given: data{states: hash{"0": "1-STALE-1", "1": "5-FRESH-1", "2": "6-AHEAD-1"}},
		reply: list("1", "5", "2", "6"),
	}, {
		script: scripts.GetServicePod, name: "any age", args: list("0", "0"),
		given: data{states: hash{"0": "1-STALE-1", "1": "5-0-1", "2": "6-AHEAD-1"}},
		reply: list("0", "1", "1", "5", "2", "6"),
	}, {
		script: scripts.GetServicePod, name: "limit", args: list("10000", "2"),
		given: data{states: hash{"0": "3-FRESH-1", "1": "1-FRESH-1", "2": "2-FRESH-1"}},
		reply: list("1", "1", "2", "2"),
	}, {
		script: scripts.GetServicePod, name: "limit above the number of pods", args: list("10000", "9"),
		given: data{states: hash{"0": "3-FRESH-1"}},
		reply: list("0", "3"),
	}, {
		script: scripts.GetServicePod, name: "fields that do not parse", args: list("10000", "0"),
		given: data{states: hash{
			"0": "1-FRESH-1", "1": "", "2": "1", "3": "1-FRESH", "4": "1-FRESH-1-1", "5": "-1-FRESH-1",
			"6": "1.5-FRESH-1", "7": "1--1", "8": "x-FRESH-1", "9": " 1-FRESH-1", "11": "1-FRESH-1\n", "12": "1-0xff-1",
			"": "1-FRESH-1", "x": "1-FRESH-1", "-1": "1-FRESH-1", "1e3": "1-FRESH-1", "1 ": "1-FRESH-1",
		}},
		reply: list("0", "1"),
	}, {
		script: scripts.GetServicePod, name: "another spelling, or a number too high, takes no place", args: list("0", "1"),
		given: data{states: hash{
			"007": "0-1-1", "1": "00-1-1", "2": "9007199254740993-1-1", "3": "99999999999999999999-1-1", "2147483648": "0-1-1",
			"99999999999999999999": "0-1-1", "5": "0-9007199254740992-1", "6": "0-99999999999999999999-1", "4": "9007199254740991-1-1",
		}},
		reply: list("4", "9007199254740991"),
	},
}
