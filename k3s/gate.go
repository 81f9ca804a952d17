package k3s

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// control is the API of a cluster, asked on a server with the server's own credentials, so that neither a kubeconfig nor
// an open port is needed here.
type control struct {
	machine *host.Machine
	c       Config
}

// members returns the nodes of the cluster; an error if the API is not ready.
func (k control) members(ctx context.Context) (map[string]member, error) {
	out, err := run(ctx, k.machine, "ask the cluster", shell("members"))
	if err != nil {
		return nil, err
	}
	return readMembers([]byte(out))
}

// wait waits until the condition of the nodes holds: it returns what is missing, empty if nothing is.
func (k control) wait(ctx context.Context, r *lab.Recorder, what string, missing func(map[string]member) string) error {
	last := ""
	poll := lab.Poll{What: what, First: 200 * time.Millisecond, Timeout: k.c.timeout(), Report: r.Wait}
	err := lab.Wait(ctx, poll, func(ctx context.Context) (bool, error) {
		members, err := k.members(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return false, err
		case errors.Is(err, lab.ErrHostKey) || errors.Is(err, lab.ErrUnauthorized):
			return false, err
		case err != nil:
			last = err.Error()
			return false, nil
		}
		last = missing(members)
		return last == "", nil
	})
	if errors.Is(err, lab.ErrTimeout) {
		return &lab.Error{Op: "wait for " + what, Target: k.machine.Name(),
			Hint: "on the machine: k3s kubectl get nodes; journalctl -u 'k3s*' -e",
			Err:  fmt.Errorf("%w after %s: %s", lab.ErrTimeout, k.c.timeout(), last)}
	}
	return err
}

// ready waits until the API is ready and the node too, with the version that it shall have; on a cluster of several
// servers, a server must be a voter of etcd, since until then the cluster does not survive the loss of another.
func (k control) ready(ctx context.Context, r *lab.Recorder, name string) error {
	return k.wait(ctx, r, name+" to be ready with "+k.c.Version, func(members map[string]member) string {
		m, ok := members[name]
		switch {
		case !ok:
			return name + " has not joined"
		case m.version != k.c.Version:
			return fmt.Sprintf("%s runs %s", name, m.version)
		case !m.ready:
			return name + " is not ready"
		case k.c.server(name) && len(k.c.Servers) > 1 && !m.voter:
			return name + " is not a voter of etcd yet"
		}
		return ""
	})
}

// alone waits until all other nodes are ready, so that never two of them are down at once. If they do not get ready, it
// refuses. A node that is not ready itself does not wait: it cannot get worse.
func (k control) alone(ctx context.Context, r *lab.Recorder, name string) error {
	down := ""
	err := k.wait(ctx, r, "all other nodes to be ready, before "+name+" is changed", func(members map[string]member) string {
		down = ""
		if m, ok := members[name]; ok && !m.ready {
			return ""
		}
		for _, other := range slices.Sorted(maps.Keys(members)) {
			if other != name && !members[other].ready {
				down = other
				return other + " is not ready"
			}
		}
		return ""
	})
	if errors.Is(err, lab.ErrTimeout) && down != "" {
		return &lab.Error{Op: "change node", Target: name,
			Hint: "plan again, which changes " + down + " first; if that does not bring it back, see its journal, or remove it " +
				"from the cluster: k3s kubectl delete node " + down,
			Err: fmt.Errorf("%w: %s is not ready, and two nodes would be down at once", lab.ErrRefused, down)}
	}
	return err
}

// volumes waits until no volume of Longhorn that is in use lacks a replica: the node may have the last good one of a
// volume. Where there is no Longhorn, it returns at once.
func (k control) volumes(ctx context.Context, r *lab.Recorder, name string) error {
	var bad []string
	what := "Longhorn's volumes to be healthy, before " + name + " is drained"
	poll := lab.Poll{What: what, First: 200 * time.Millisecond, Timeout: k.c.timeout(), Report: r.Wait}
	err := lab.Wait(ctx, poll, func(ctx context.Context) (bool, error) {
		out, err := run(ctx, k.machine, "ask Longhorn", shell("volumes"))
		if err != nil {
			return false, err
		}
		bad, err = unhealthy([]byte(out))
		return len(bad) == 0, err
	})
	if errors.Is(err, lab.ErrTimeout) {
		return &lab.Error{Op: "drain node", Target: name, Hint: "see Longhorn's volumes; a replica that is rebuilt takes its time",
			Err: fmt.Errorf("%w: volumes are not healthy: %s", lab.ErrBlocked, strings.Join(bad, ", "))}
	}
	return err
}
