package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/statelink/statelink"
	"github.com/statelink/statelink/redismanager"
)

const linkLong = `A link says on which pod a uid (a user, room, document or device) is for a
service. It is persistent, or temporary with a time to live.

A uid that begins with - goes behind --: statelink link get -- -odd- room`

func (p *program) linkCommand() *cobra.Command {
	group := p.group("link", "Look at links and change them", linkLong, `  statelink link get alice room
  statelink link set alice room 2 --ttl 30s`)
	group.AddCommand(p.linkGetCommand(), p.linkListCommand(), p.linkSetCommand(), p.linkTryCommand(),
		p.linkClaimCommand(), p.linkRemoveCommand())
	return group
}

// linkName are the fields that every answer about one link begins with.
type linkName struct {
	Namespace string `json:"namespace"`
	UID       string `json:"uid"`
	Service   string `json:"service"`
}

func (p *program) linkName(args []string) linkName {
	return linkName{Namespace: p.flags.namespace, UID: args[0], Service: args[1]}
}

type linkView struct {
	linkName
	Linked    bool    `json:"linked"`
	Pod       *int    `json:"pod"`
	Kind      *string `json:"kind"`
	ExpiresIn *int64  `json:"expires_in_ms"`
}

func (p *program) linkGetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "get UID SERVICE",
		Short: "Show the pod that a uid is linked to",
		Long:  "Shows the pod that a uid is linked to. Without a link the pod is -, and the exit\ncode is 3.",
		Example: `  statelink link get alice room
  statelink link get alice room -n staging -o json`,
		Args: exactArgs("UID SERVICE"),
		RunE: p.action(p.linkGet),
	}
}

func (p *program) linkGet(ctx context.Context, args []string) error {
	view := linkView{linkName: p.linkName(args)}
	err := p.withRedis(ctx, view.read)
	if err != nil {
		return err
	}
	kind, expires := nothing, nothing
	if view.Linked {
		kind, expires = *view.Kind, "never"
	}
	if view.ExpiresIn != nil {
		expires = short(time.Duration(*view.ExpiresIn) * time.Millisecond)
	}
	t := columns("UID", "SERVICE", "POD", "KIND", "EXPIRES IN")
	t.add(printable(view.UID), view.Service, podCell(view.Pod), kind, expires)
	if err := p.print(view, t); err != nil {
		return err
	}
	if !view.Linked {
		return status(exitAbsent)
	}
	return nil
}

// read asks for the pod and then for the time to live; a link that expires in
// between is no link.
func (v *linkView) read(ctx context.Context, s *session) error {
	pod, err := s.exec.GetLinkedPod(ctx, v.Namespace, v.UID, v.Service)
	if err != nil || pod == statelink.NoPod {
		return err
	}
	ttl, err := s.timeToLive(ctx, v.linkName)
	if err != nil || ttl == keyAbsent {
		return err
	}
	kind := kindOf(ttl == keyPersistent)
	v.Linked, v.Pod, v.Kind = true, &pod, &kind
	if ttl >= 0 {
		v.ExpiresIn = &ttl
	}
	return nil
}

// What PTTL answers instead of milliseconds.
const (
	keyPersistent int64 = -1
	keyAbsent     int64 = -2
)

// timeToLive gives milliseconds, keyPersistent or keyAbsent.
func (s *session) timeToLive(ctx context.Context, l linkName) (int64, error) {
	value, err := s.manager.Read(ctx, "pttl", s.keys.Link(l.Namespace, l.UID, l.Service))
	if err != nil {
		return 0, err
	}
	ms, ok := value.(int64)
	if !ok {
		return 0, redismanager.ErrMalformedData
	}
	return ms, nil
}

func kindOf(persistent bool) string {
	if persistent {
		return "persistent"
	}
	return "temporary"
}

type linkList struct {
	Namespace string        `json:"namespace"`
	UID       string        `json:"uid"`
	Links     []serviceLink `json:"links"`
}

type serviceLink struct {
	Service string `json:"service"`
	Pod     int    `json:"pod"`
}

func (p *program) linkListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls UID",
		Short:   "List the persistent links of a uid",
		Long:    "Lists the persistent links of a uid, over all services. Temporary links are not\nlisted; 'statelink link get' shows one.",
		Example: "  statelink link ls alice",
		Args:    exactArgs("UID"),
		RunE:    p.action(p.linkList),
	}
}

func (p *program) linkList(ctx context.Context, args []string) error {
	list := linkList{Namespace: p.flags.namespace, UID: args[0], Links: []serviceLink{}}
	err := p.withRedis(ctx, func(ctx context.Context, s *session) error {
		found, err := s.exec.GetLinkService(ctx, list.Namespace, list.UID)
		for _, service := range slices.Sorted(maps.Keys(found)) {
			list.Links = append(list.Links, serviceLink{service, found[service]})
		}
		return err
	})
	if err != nil {
		return err
	}
	t := columns("SERVICE", "POD")
	for _, link := range list.Links {
		t.add(printable(link.Service), strconv.Itoa(link.Pod))
	}
	return p.print(list, t)
}
