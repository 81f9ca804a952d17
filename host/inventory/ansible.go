package inventory

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// SelectAnsible returns what ansible-core selects, in its order, and its warnings about terms that
// match nothing, which it ignores. Unlike [Inventory.Select] it accepts a pattern without a plain
// term, as if it began with all, and a pattern that selects no hosts, and it knows a localhost that
// is not in the inventory.
//
// The corresponding Ansible inventory lists every host under all, in inventory order. There are two
// differences from Ansible: regular expressions have Go's syntax, and the hosts of a group come
// level by level in the order of the spec, whereas from the third level on Ansible's order is
// arbitrary.
func (inv *Inventory) SelectAnsible(pattern string) (hosts []*Host, warnings []string, err error) {
	a := ansibleSelection{inv: inv, done: map[string][]*Host{}}
	terms := splitPattern(pattern)
	plain := slices.ContainsFunc(terms, func(t string) bool { return t[0] != '&' && t[0] != '!' })
	if !plain {
		terms = append([]string{groupAll}, terms...)
	}
	for _, op := range []byte{0, '&', '!'} {
		for _, text := range terms {
			t := parseTerm(text)
			if t.op != op {
				continue
			}
			selected, err := a.term(t)
			if err != nil {
				return nil, a.warnings, &lab.Error{Op: "select hosts", Target: pattern, Err: err}
			}
			hosts = t.apply(hosts, selected)
		}
	}
	return hosts, a.warnings, nil
}

// ansibleSelection is one evaluation of a pattern as Ansible does it.
type ansibleSelection struct {
	inv      *Inventory
	local    *Host              // the localhost that is not in the inventory; nil until a term names it
	done     map[string][]*Host // by term without its sign; there is one warning for each
	warnings []string
}

// localhosts are the names of the host that exists without being in the inventory.
var localhosts = []string{"127.0.0.1", "::1", "localhost"}

func (a *ansibleSelection) term(t term) ([]*Host, error) {
	if h := a.inv.byName[t.text]; h != nil {
		return []*Host{h}, nil
	}
	rest := t.text
	if t.op != 0 {
		rest = t.text[1:]
	}
	if hosts, ok := a.done[rest]; ok {
		return hosts, nil
	}
	if t.expr == "" {
		return nil, lab.Problems{{Message: "nothing follows the sign", Text: t.text}}
	}
	match, err := t.matcher()
	if err != nil {
		return nil, lab.Problems{{Message: "not a regular expression: " + err.Error(), Text: t.text}}
	}
	var hosts []*Host
	add := func(h *Host) {
		if !slices.Contains(hosts, h) {
			hosts = append(hosts, h)
		}
	}
	var all []*Host // with repetitions, which count in slices
	grouped := false
	for _, g := range a.inv.groups {
		if match(g.name) {
			grouped = true
			all = append(all, g.members()...)
		}
	}
	if !grouped || t.regexp() || strings.ContainsAny(t.expr, "?*[") {
		for _, h := range a.inv.hosts {
			if match(h.Name) {
				all = append(all, h)
			}
		}
	}
	if len(all) == 0 && slices.Contains(localhosts, t.expr) {
		all = append(all, a.localhost(t.expr))
	}
	if len(all) == 0 && !grouped && t.expr != groupAll {
		a.warnings = append(a.warnings, "no host or group matches, ignored: "+t.expr)
	}
	if t.slice != nil && len(all) > 0 {
		part, ok := t.slice.of(all)
		if !ok {
			return nil, lab.Problems{{Message: "no such part of what it matches", Text: t.text}}
		}
		all = part
	}
	for _, h := range all {
		add(h)
	}
	a.done[rest] = hosts
	return hosts, nil
}

// localhost returns the machine that Ansible runs on: the host with one of its names, or otherwise
// a new one under the name that was used first.
func (a *ansibleSelection) localhost(name string) *Host {
	for _, h := range a.inv.hosts {
		if slices.Contains(localhosts, h.Name) {
			return h
		}
	}
	if a.local == nil {
		a.local = &Host{Name: name, Local: true}
	}
	return a.local
}
