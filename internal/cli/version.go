package cli

import (
	"context"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// redisFloor is the oldest Redis that works: the scripts need it.
const redisFloor = "7.0"

type versionView struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Redis    string `json:"redis_minimum"`
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show the version of this program (needs no Redis)",
		Example: "  statelink version -o json",
		Args:    exactArgs(""),
		RunE:    p.action(p.version),
	}
}

func (p *program) version(context.Context, []string) error {
	view := buildVersion()
	version := view.Version
	if view.Revision != "" {
		version += " (" + view.Revision[:min(len(view.Revision), 12)] + ")"
	}
	t := columns("STATELINK", "GO", "REDIS")
	t.add(version, view.Go, redisFloor+" or newer")
	return p.print(view, t)
}

// buildVersion reads what the Go tool has written into the program.
func buildVersion() versionView {
	view := versionView{Version: "unknown", Go: runtime.Version(), Redis: redisFloor}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return view
	}
	if info.Main.Version != "" {
		view.Version = strings.Trim(info.Main.Version, "()") // (devel) is a build of a working tree
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			view.Revision = s.Value
		case "vcs.modified":
			view.Modified = s.Value == "true"
		}
	}
	return view
}
