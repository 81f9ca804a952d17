package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/base"
	"gitea.arcodange.lab/arcodange-org/lab/host/inventory"
)

// machine returns what differs between the machines.
func (l *Lab) machine(h *inventory.Host) base.Machine {
	m := base.Machine{Name: h.Name, Domain: l.Domain, User: userOf(h, l)}
	for _, other := range l.Hosts {
		if other.Name != h.Name {
			m.Peers = append(m.Peers, base.Peer{Name: other.Name, Address: other.Address})
		}
	}
	return m
}

// state returns what a machine should be in stage 01_system, with its secrets.
func (l *Lab) state(h *inventory.Host) (host.State, error) {
	return l.wanted(h).state.Resolve(os.LookupEnv, l.dir.ReadFile)
}

// wanted is the state of a machine in stage 01_system: its base, and the resources that are placed
// on it.
type wanted struct {
	state host.State
	base  int      // how many of its resources are of the base
	from  []string // the places in the config that ask for the others
}

// wanted is pure: references to secrets stay references.
func (l *Lab) wanted(h *inventory.Host) wanted {
	w := wanted{state: l.System.State(l.machine(h))}
	w.base = len(w.state)
	for i, p := range l.Resources {
		if i < len(l.placed) && slices.Contains(l.placed[i], h.Name) {
			for j, r := range p.State {
				w.state, w.from = append(w.state, r), append(w.from, fmt.Sprintf("resources[%d].state[%d]", i, j))
			}
		}
	}
	return w
}

// sameAs begins what [host.State.Validate] says of a resource that is there twice.
const sameAs = "the same as "

var (
	resourceIndex = regexp.MustCompile(`^\[([0-9]+)\](.*)$`)
	sameIndex     = regexp.MustCompile(`^` + sameAs + `\[([0-9]+)\]$`)
)

// problems returns what is wrong with the state beyond what its base says of itself, each at its
// place in the config.
func (w wanted) problems() (ps lab.Problems) {
	ofBase := problemsOf(w.state[:w.base].Validate())
	for _, p := range problemsOf(w.state.Validate()) {
		if slices.Contains(ofBase, p) {
			continue
		}
		if m := resourceIndex.FindStringSubmatch(p.Path); m != nil {
			place, of := w.place(m[1])
			if p.Path = place; of {
				p.Path += m[2]
			}
		}
		if m := sameIndex.FindStringSubmatch(p.Message); m != nil {
			place, _ := w.place(m[1])
			p.Message = sameAs + place
		}
		ps = append(ps, p)
	}
	return ps
}

// place returns the place in the config of a resource by its index, and whether the resource is
// written there itself.
func (w wanted) place(index string) (path string, itself bool) {
	n, err := strconv.Atoi(index)
	if n -= w.base; err != nil || n < 0 || n >= len(w.from) {
		return "system", false
	}
	return w.from[n], true
}

func problemsOf(err error) (ps lab.Problems) {
	if err != nil && !errors.As(err, &ps) {
		ps.Add("system", "%v", err)
	}
	return ps
}

// validateMachines returns what is wrong with the machines, each thing once, however many machines
// it holds for.
func (l *Lab) validateMachines(known lab.Problems) (ps lab.Problems) {
	seen := func(p lab.Problem) bool {
		return slices.ContainsFunc(append(slices.Clone(known), ps...), func(o lab.Problem) bool {
			return o.Path == p.Path && (o.Message == p.Message ||
				strings.HasPrefix(o.Message, sameAs) && strings.HasPrefix(p.Message, sameAs))
		})
	}
	for _, h := range l.Hosts {
		found := l.wanted(h).problems()
		for _, p := range l.machine(h).Validate() {
			if p.Path != "domain" {
				p.Path = "inventory.hosts." + h.Name
			}
			found = append(found, p)
		}
		for _, p := range found {
			if !seen(p) {
				ps = append(ps, p)
			}
		}
	}
	return ps
}

func userOf(h *inventory.Host, l *Lab) string {
	if h.User != "" {
		return h.User
	}
	return l.user()
}
