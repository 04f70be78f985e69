package redismanager

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FleetState is what a registry holds, and what the processes say they run.
type FleetState struct {
	ServerTime time.Time      `json:"server_time"`
	Scripts    []FleetScript  `json:"scripts"`   // those that were ever pushed, by name
	Processes  []FleetProcess `json:"processes"` // heard of within 30 s, by name
}

// FleetScript is a script that was pushed.
type FleetScript struct {
	Name     string         `json:"name"`
	Version  int            `json:"version"`  // in force; 1 is each process's own body
	Before   int            `json:"before"`   // what a rollback goes to, 0 for nothing
	Versions []FleetVersion `json:"versions"` // kept, oldest first, without 1
}

// FleetVersion is a body that was pushed.
type FleetVersion struct {
	Version    int       `json:"version"`
	SHA        string    `json:"sha"`
	Idempotent bool      `json:"idempotent"`
	Pushed     time.Time `json:"pushed"`
	By         string    `json:"by"`
}

// FleetProcess is a process that follows the registry.
type FleetProcess struct {
	Name    string          `json:"name"`
	Seen    time.Time       `json:"seen"`    // its last report, by the server's clock
	Scripts []ProcessScript `json:"scripts"` // by name
}

// ProcessScript is what a process runs under a name.
type ProcessScript struct {
	Name    string `json:"name"`
	Version int    `json:"version"` // 0: a body from elsewhere than the registry
	SHA     string `json:"sha"`
	Error   string `json:"error,omitempty"` // why it does not run what the registry says
}

// Version gives what the registry has in force for a script: 1 if nothing was
// pushed.
func (s FleetState) Version(name string) int {
	for _, script := range s.Scripts {
		if script.Name == name {
			return script.Version
		}
	}
	return 1
}

// Script gives what the process runs under a name.
func (p FleetProcess) Script(name string) (ProcessScript, bool) {
	i, found := slices.BinarySearchFunc(p.Scripts, name, func(s ProcessScript, name string) int { return strings.Compare(s.Name, name) })
	if !found {
		return ProcessScript{}, false
	}
	return p.Scripts[i], true
}

// FleetScripts reads a registry in one act. It needs no permission to change
// scripts.
func (m *Manager) FleetScripts(ctx context.Context, key string) (FleetState, error) {
	keys, err := newFleetKeys(key)
	if err != nil {
		return FleetState{}, err
	}
	reply, err := m.runFleet(ctx, fleetRead, []string{keys.registry, keys.versions, keys.seen, keys.reports}, []any{fleetMaxAge.Milliseconds()})
	if err != nil {
		return FleetState{}, err
	}
	parts, ok := reply.([]any)
	if !ok || len(parts) != 4 {
		return FleetState{}, fmt.Errorf("%w: reply about the fleet %s is %T", ErrMalformedData, quoteShort(key), reply)
	}
	now, _ := parts[0].(string)
	return FleetState{
		ServerTime: unixMilli(now),
		Scripts:    fleetScripts(pairs(parts[1]), pairs(parts[2])),
		Processes:  fleetProcesses(texts(parts[3])),
	}, nil
}

// fleetScripts leaves out records that are not ours.
func fleetScripts(registry, versions map[string]string) []FleetScript {
	list := []FleetScript{}
	for _, field := range slices.Sorted(maps.Keys(registry)) {
		name, found := strings.CutPrefix(field, "script:")
		record, err := parseFleetRecord(registry[field])
		if !found || err != nil {
			continue
		}
		list = append(list, FleetScript{Name: name, Version: record.current, Before: record.before, Versions: fleetVersions(name, versions)})
	}
	return list
}

func fleetVersions(name string, versions map[string]string) []FleetVersion {
	list := []FleetVersion{}
	for field, about := range versions {
		base, version, ok := cutVersion(field)
		if !ok || base != name {
			continue
		}
		if v, err := parseFleetVersion(version, about); err == nil {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b FleetVersion) int { return a.Version - b.Version })
	return list
}

func fleetProcesses(words []string) []FleetProcess {
	list := []FleetProcess{}
	for row := range slices.Chunk(words, 3) {
		if len(row) == 3 {
			list = append(list, FleetProcess{Name: row[0], Seen: unixMilli(row[1]), Scripts: parseReport(row[2])})
		}
	}
	slices.SortFunc(list, func(a, b FleetProcess) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// processReport is what a process stores, as JSON.
type processReport struct {
	Scripts map[string]reportedScript `json:"scripts"`
}

type reportedScript struct {
	Version int    `json:"version"`
	SHA     string `json:"sha"`
	Error   string `json:"error,omitempty"`
}

// parseReport takes a report that is not ours for an empty one.
func parseReport(text string) []ProcessScript {
	var report processReport
	if json.Unmarshal([]byte(text), &report) != nil {
		return []ProcessScript{}
	}
	list := make([]ProcessScript, 0, len(report.Scripts))
	for _, name := range slices.Sorted(maps.Keys(report.Scripts)) {
		s := report.Scripts[name]
		list = append(list, ProcessScript{Name: name, Version: s.Version, SHA: s.SHA, Error: s.Error})
	}
	return list
}

// fleetRecord is the registry's record of one script.
type fleetRecord struct{ current, before int }

func parseFleetRecord(text string) (fleetRecord, error) {
	words := strings.Split(text, " ")
	if len(words) != 3 || wordNumber(words[0]) < 1 || wordNumber(words[1]) < wordNumber(words[0]) {
		return fleetRecord{}, fmt.Errorf("%w: record %s of a script in the registry", ErrMalformedData, quoteShort(text))
	}
	path := strings.Split(words[2], ",")
	return fleetRecord{current: wordNumber(words[0]), before: wordNumber(path[len(path)-1])}, nil
}

func parseFleetVersion(version int, text string) (FleetVersion, error) {
	words := strings.SplitN(text, " ", 4)
	if len(words) != 4 || len(words[0]) != 40 || words[1] != "0" && words[1] != "1" {
		return FleetVersion{}, fmt.Errorf("%w: version %d is described as %s", ErrMalformedData, version, quoteShort(text))
	}
	return FleetVersion{Version: version, SHA: words[0], Idempotent: words[1] == "1", Pushed: unixMilli(words[2]), By: words[3]}, nil
}

// wordNumber gives 0 for what is none.
func wordNumber(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

func unixMilli(s string) time.Time { return time.UnixMilli(int64(wordNumber(s))).UTC() }

// texts gives a reply's strings, nil if it is no list of them.
func texts(reply any) []string {
	items, _ := reply.([]any)
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			return nil
		}
		list = append(list, s)
	}
	return list
}

// pairs gives the fields of a hash, however the server's protocol wraps it.
func pairs(reply any) map[string]string {
	out := map[string]string{}
	if fields, ok := reply.(map[any]any); ok {
		for field, value := range fields {
			name, _ := field.(string)
			out[name], _ = value.(string)
		}
		return out
	}
	for pair := range slices.Chunk(texts(reply), 2) {
		if len(pair) == 2 {
			out[pair[0]] = pair[1]
		}
	}
	return out
}
