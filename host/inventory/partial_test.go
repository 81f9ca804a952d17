package inventory

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// partialSpec is a spec in which one group is wrong, a, and two contain each other.
const partialSpec = `
hosts:
  pi1: {}
  pi2: {}
  pi3: {}
groups:
  raspberries: {hosts: [pi1, pi2, pi3]}
  gitea: {hosts: [pi2]}
  a: {hosts: [pi1, pi9], children: [gitea, nowhere]}
  above: {children: [a]}
  x: {children: [y], hosts: [pi3]}
  y: {children: [x]}
`

// TestPartial: what is wrong in one group says nothing of the others; what depends on it is not known,
// which is no problem of the pattern.
func TestPartial(t *testing.T) {
	_, spec := readInventorySpec(t, partialSpec)
	_, err := New(spec)
	var problems lab.Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	inv := Partial(spec, problems)
	for pattern, want := range map[string]string{
		"raspberries:!gitea": "pi1 pi3", "gitea": "pi2", "all": "pi1 pi2 pi3", "pi[1:2]": "no such group",
		"raspberries[3]": "no such part", "gitea:&pi1": "selects no hosts", "nowhere": "no such host or group",
		"a": "unsure pi1 pi2", "above": "unsure pi1 pi2", "raspberries:!a": "unsure pi3", "a:&pi3": "unsure ",
		"a[5]": "unsure ", "x": "unsure pi3", "y": "unsure ", "a?ove:&pi3": "unsure ", "ungrouped": "unsure ",
		"ungruped": "no such host or group",
	} {
		hosts, err := inv.Select(pattern)
		got := hostNames(hosts)
		if !inv.Sure(pattern) {
			got = "unsure " + got
		}
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%s: %s, want %s", pattern, got, want)
		}
	}
	if Partial(spec, lab.Problems{{Message: "unknown key"}}) != nil || Partial(Spec{}, nil) != nil {
		t.Error("there is an inventory although not even the names are known")
	}
	if inv := newLabInventory(t); !inv.Sure("raspberries") {
		t.Error("an inventory that is right is not sure")
	}
}

// FuzzPartial: no spec, however broken, makes it panic, and what New accepts is the same here.
func FuzzPartial(f *testing.F) {
	f.Add("pi1 pi2", "a:pi1,b", "b:a,pi9", "a:!b")
	f.Add("pi1 pi1 all", "a:a", "ungrouped:pi1", "~.")
	f.Fuzz(func(t *testing.T, hosts, first, second, pattern string) {
		var spec Spec
		for _, name := range strings.Split(hosts, " ") {
			spec.Hosts = append(spec.Hosts, HostSpec{Name: name})
		}
		for _, text := range []string{first, second} {
			name, members, _ := strings.Cut(text, ":")
			g := GroupSpec{Name: name}
			for i, member := range strings.Split(members, ",") {
				if i%2 == 0 {
					g.Hosts = append(g.Hosts, member)
				} else {
					g.Children = append(g.Children, member)
				}
			}
			spec.Groups = append(spec.Groups, g)
		}
		inv, err := New(spec)
		var problems lab.Problems
		if err != nil && !errors.As(err, &problems) {
			t.Fatal(err)
		}
		partial := Partial(spec, problems)
		if partial == nil {
			return
		}
		some, wrong := partial.Select(pattern)
		sure := partial.Sure(pattern)
		if err != nil {
			return
		}
		want, failed := inv.Select(pattern)
		if hostNames(some) != hostNames(want) || (wrong == nil) != (failed == nil) || !sure {
			t.Errorf("%v %v, want %v %v; sure %t", hostNames(some), wrong, hostNames(want), failed, sure)
		}
	})
}
