// Package scripts holds the Lua scripts that change and read links and pod states in Redis, and says
// of each which keys and arguments it takes and whether it only reads.
//
// Every script is one atomic act in one file. The header of the file is its contract: KEYS, ARGV with
// units, and the reply. A script touches only the keys that it is given, all in one Cluster slot, and
// reads and checks everything before its first write, because Redis does not roll back.
package scripts

import (
	"embed"
	"slices"
	"strings"
	"sync"
)

// EmbeddedScripts holds the .lua files; a script's file is its name with ".lua".
//
//go:embed *.lua
var EmbeddedScripts embed.FS

// Names of the scripts.
const (
	// ComputeLinkIfAbsent links to a candidate pod if there is no link, or one to a pod known dead.
	ComputeLinkIfAbsent = "statefulComputeLinkIfAbsent"
	// GetLinkIfPersist reads a link if it is persistent.
	GetLinkIfPersist = "statefulGetLinkIfPersist"
	// GetLinkService lists the persistent links of a user.
	GetLinkService = "statefulGetLinkService"
	// GetService reads the states of all pods of a service.
	GetService = "statefulGetService"
	// GetServicePod lists the ready and fresh pods of a service, least loaded first.
	GetServicePod = "statefulGetServicePod"
	// RemoveLink removes a link, at once or after a while.
	RemoveLink = "statefulRemoveLink"
	// RemoveLinkWithId removes a link only if it is to the given pod.
	RemoveLinkWithId = "statefulRemoveLinkWithId"
	// SetLink sets a link, whatever it was before.
	SetLink = "statefulSetLink"
	// SetLinkIfAbsent sets a link only if there is none.
	SetLinkIfAbsent = "statefulSetLinkIfAbsent"
	// SetState stores the state of a pod.
	SetState = "statefulSetState"
	// TrySetLink sets a link unless a persistent link to another pod is there.
	TrySetLink = "statefulTrySetLink"
)

// Script is one Lua script and what its caller must know of it.
type Script struct {
	// Name is one of the constants of this package.
	Name string
	// Source is the text of the file.
	Source string
	// Keys and Args name KEYS and ARGV, in order. A call gives exactly that many of each.
	Keys, Args []string
	// ReadOnly is true if Redis itself refuses every write of the script (flag no-writes on its first line).
	ReadOnly bool
	// Idempotent is true if the script may be sent again after a lost reply: see declarations.
	Idempotent bool
	// Doc is the purpose in one line.
	Doc string
}

// All returns all scripts, sorted by name. The caller owns the result.
func All() []Script {
	all := slices.Clone(library())
	for i := range all {
		all[i] = all[i].clone()
	}
	return all
}

// Get returns the script of that name, and whether there is one. The caller owns the result.
func Get(name string) (Script, bool) {
	all := library()
	i, found := slices.BinarySearchFunc(all, name, func(s Script, name string) int {
		return strings.Compare(s.Name, name)
	})
	if !found {
		return Script{}, false
	}
	return all[i].clone(), true
}

func (s Script) clone() Script {
	s.Keys = slices.Clone(s.Keys)
	s.Args = slices.Clone(s.Args)
	return s
}

// declaration is what a caller of a script must know and its source cannot say to a machine.
type declaration struct {
	name       string
	keys, args []string
	idempotent bool
}

// declarations has one line per file. Only readers are idempotent, in the strict sense that a second,
// hidden run after a lost reply changes neither the store nor the answer. Writers that look harmless
// are not: between the two runs another caller may have removed the link, and the second run of an
// if-absent (or of a set) brings it back to life; the second run of a remove takes away a link that
// someone made in between, or answers {0} for a removal that did happen; and the second run of a set
// names its own first run as the previous pod.
var declarations = []declaration{
	{ComputeLinkIfAbsent, []string{"link", "user"}, []string{"service", "ttl", "candidate", "expected"}, false},
	{GetLinkIfPersist, []string{"link"}, nil, true},
	{GetLinkService, []string{"user"}, nil, true},
	{GetService, []string{"state"}, nil, true},
	{GetServicePod, []string{"state"}, []string{"max_age", "limit"}, true},
	{RemoveLink, []string{"link", "user"}, []string{"service", "ttl"}, false},
	{RemoveLinkWithId, []string{"link", "user"}, []string{"service", "ttl", "pod"}, false},
	{SetLink, []string{"link", "user"}, []string{"service", "pod", "ttl"}, false},
	{SetLinkIfAbsent, []string{"link", "user"}, []string{"service", "pod", "ttl"}, false},
	{SetState, []string{"state"}, []string{"pod", "load", "routing"}, false},
	{TrySetLink, []string{"link", "user"}, []string{"service", "pod", "ttl"}, false},
}

// library joins the declarations with the embedded sources, once. A declared script without a file is
// left out; a test holds the folder and the declarations together.
var library = sync.OnceValue(func() []Script {
	all := make([]Script, 0, len(declarations))
	for _, d := range declarations {
		source, err := EmbeddedScripts.ReadFile(d.name + ".lua")
		if err != nil {
			continue
		}
		readOnly, doc := parseHead(string(source))
		all = append(all, Script{
			Name: d.name, Source: string(source), Keys: d.keys, Args: d.args,
			ReadOnly: readOnly, Idempotent: d.idempotent, Doc: doc,
		})
	}
	slices.SortFunc(all, func(a, b Script) int { return strings.Compare(a.Name, b.Name) })
	return all
})

// parseHead reads the first two lines of a source: "#!lua [flags=a,b]" and "-- purpose".
func parseHead(source string) (readOnly bool, doc string) {
	shebang, rest, _ := strings.Cut(source, "\n")
	purpose, _, _ := strings.Cut(rest, "\n")
	for _, option := range strings.Fields(shebang) {
		if flags, ok := strings.CutPrefix(option, "flags="); ok {
			readOnly = slices.Contains(strings.Split(flags, ","), "no-writes")
		}
	}
	return readOnly, strings.TrimPrefix(purpose, "-- ")
}
