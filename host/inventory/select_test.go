package inventory

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// TestSelect compares with what ansible-core selects, as verified by TestAnsibleLab, and what
// Select returns.
func TestSelect(t *testing.T) {
	inv := newLabInventory(t)
	for _, c := range []struct{ pattern, ansible, safe string }{
		{"raspberries:&local:!gitea", "pi1 pi3", "pi1 pi3"},
		{"!gitea:raspberries", "pi1 pi3", "pi1 pi3"},
		{"&local:raspberries", "pi1 pi2 pi3", "pi1 pi2 pi3"},
		{"gitea", "pi2", "pi2"},
		{"step_ca:!pi1", "pi2 pi3", "pi2 pi3"},
		{"local", "localhost pi1 pi2 pi3", "localhost pi1 pi2 pi3"},
		{"all", "pi1 pi2 pi3 localhost", "pi1 pi2 pi3 localhost"},
		{"pi3:pi1", "pi3 pi1", "pi3 pi1"},
		{"nosuch", " | no host or group matches, ignored: nosuch", "! no such host or group: nosuch"},
		{"&pihole", "pi1 pi3", "! only & and ! terms, which reduce a selection (begin with all if you mean every host)"},
		{"!gitea", "pi1 pi3 localhost",
			"! only & and ! terms, which reduce a selection (begin with all if you mean every host)"},
		{"pihole[0]", "pi1", "pi1"},
		{"raspberries[-1]", "pi3", "pi3"},
		{"step_ca[1:]", "pi2 pi3", "pi2 pi3"},
		{"raspberries:&pihole:!step_ca[0]", "pi3", "pi3"},
		{"~pi[12]", "pi1 pi2", "pi1 pi2"},
		{"pi*", "pi1 pi3 pi2", "pi1 pi2 pi3"},
		{"postgres:pihole", "pi2 pi1 pi3", "pi2 pi1 pi3"},
		{"raspberries:!nosuch", "pi1 pi2 pi3 | no host or group matches, ignored: nosuch",
			"! no such host or group: !nosuch"},
		{"raspberries:&nosuch", " | no host or group matches, ignored: nosuch", "! no such host or group: &nosuch"},
		// patterns that the lab does not use
		{"raspberries, pihole", "pi1 pi2 pi3", "pi1 pi2 pi3"},
		{"raspberries[0:1]", "pi1 pi2", "pi1 pi2"},
		{"raspberries[1:9]", "pi2 pi3", "pi2 pi3"},
		{"raspberries[2:0]", "pi3", "! no such part of the group, which has 3 hosts: raspberries[2:0]"},
		{"raspberries[0-1]", "pi1 pi2", "! a range is written with a colon: raspberries[0-1] (write raspberries[0:1])"},
		{"raspberries[3]", "! no such part of what it matches: raspberries[3]",
			"! no such part of the group, which has 3 hosts: raspberries[3]"},
		{"raspberries[7:8]", "", "! no such part of the group, which has 3 hosts: raspberries[7:8]"},
		{"pi[12]", " | no host or group matches, ignored: pi",
			"! no such group: pi[12] ([] after a name is an index; for one of several letters write ~pi[12])"},
		{"pi[!1]", "pi2 pi3", "pi2 pi3"},
		{"pi*[0]", "pi1", "! an index after a glob, whose hosts are in no order: pi*[0] (use the name of the group)"},
		{"pi1[0]", "pi1", "! an index after a host, which only a group can have: pi1[0]"},
		{"*", "pi1 pi2 pi3 localhost", "pi1 pi2 pi3 localhost"},
		{"a*", "pi1 pi2 pi3 localhost",
			"! it also matches the built-in group all: a* (write all if you mean that, or a more specific pattern)"},
		{"~.*", "pi1 pi2 pi3 localhost",
			"! it also matches the built-in group all: ~.* (write all if you mean that, or a more specific pattern)"},
		{"zz*", " | no host or group matches, ignored: zz*", "! it matches no host and no group: zz*"},
		{"~(", "! not a regular expression: missing closing ): `(`: ~(",
			"! not a regular expression: missing closing ): `(`: ~("},
		{"gite:raspberies", " | no host or group matches, ignored: gite | no host or group matches, ignored: raspberies",
			"! no such host or group: gite (nearest: gitea)\nno such host or group: raspberies (nearest: raspberries)"},
		{"pi1:22", " | no host or group matches, ignored: pi1:22",
			"! it looks like an address with a port, or like an IPv6 address: pi1:22 (separate terms by commas)"},
		{"pi1:pi2,pi3", "pi3 | no host or group matches, ignored: pi1:pi2",
			"! a colon in a pattern with commas: pi1:pi2 (separate all terms by commas)"},
		{"pi1 pi2", "pi1 pi2", "pi1 pi2"},
		{"pi1 pi2,pi3", "pi3 | no host or group matches, ignored: pi1 pi2",
			"! a space in a name: pi1 pi2 (separate terms by commas)"},
		{"", "pi1 pi2 pi3 localhost", "! an empty pattern (write all if you mean every host)"},
		{"!", "! nothing follows the sign: !",
			"! nothing follows the sign: !\n" +
				"only & and ! terms, which reduce a selection (begin with all if you mean every host)"},
		{"pi1:!!pi1", "pi1 | no host or group matches, ignored: !pi1", "! two signs: !!pi1"},
		{"ungrouped", "", "! it selects no hosts"},
		{"postgres:&pihole", "", "! it selects no hosts"},
		{"127.0.0.1", "localhost", "! no such host or group: 127.0.0.1"},
	} {
		hosts, warnings, err := inv.SelectAnsible(c.pattern)
		got := strings.Join(append([]string{hostNames(hosts)}, warnings...), " | ")
		if err != nil {
			got = "! " + errors.Unwrap(err).Error()
		}
		if got != c.ansible {
			t.Errorf("%s: ansible: %s\nwant %s", c.pattern, got, c.ansible)
		}
		hosts, err = inv.Select(c.pattern)
		got = hostNames(hosts)
		if err != nil {
			got = "! " + strings.TrimPrefix(errors.Unwrap(err).Error(), "not found: ")
		}
		if got != c.safe {
			t.Errorf("%s: %s\nwant %s", c.pattern, got, c.safe)
		}
	}
	_, err := inv.Select("raspberries:!gite")
	if !errors.Is(err, lab.ErrInvalid) ||
		err.Error() != "raspberries:!gite: select hosts: no such host or group: !gite (nearest: gitea)" {
		t.Error(err)
	}
	_, err = inv.Select("postgres:&pihole")
	if !errors.Is(err, lab.ErrNotFound) || err.Error() != "postgres:&pihole: select hosts: not found: it selects no hosts" {
		t.Error(err)
	}
}

// TestSelectClasses has names with a number of several digits: what Ansible takes for an index was
// meant as a character class. The pattern of the hint selects what was meant.
func TestSelectClasses(t *testing.T) {
	inv, err := New(Spec{
		Hosts:  []HostSpec{{Name: "db01"}, {Name: "db12"}, {Name: "db9"}, {Name: "db012"}, {Name: "a.b7"}},
		Groups: []GroupSpec{{Name: "web", Hosts: []string{"db01", "db12"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		"db[0-9][0-9]":     "~db[0-9][0-9]$ db01 db12",
		"db[0-9]":          "~db[0-9]$ db9",
		"db[!1-9][0-9]":    "~db[^1-9][0-9]$ db01",
		"d?[0-9][12]":      "~d.[0-9][12]$ db01 db12",
		"db*[2]":           `~db.*[2]$ db12 db012`,
		"a.b[7-8]":         `~a\.b[7-8]$ a.b7`,
		"web[0-1]":         "web[0:1] db01 db12", // a group has an index
		"all:!db[0-9]":     "~db[0-9]$ db9",
		"zz[0-9][0-9]":     "", // matches nothing in either way
		"web[0-9]:db[1-2]": "web[0:9] db01 db12",
	} {
		_, err := inv.Select(pattern)
		var ps lab.Problems
		if !errors.As(err, &ps) || len(ps) == 0 {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		written, ok := strings.CutPrefix(ps[0].Hint, "for one of several letters write ")
		if !ok {
			written, ok = strings.CutPrefix(ps[0].Hint, "write ")
		}
		if !ok {
			if want != "" {
				t.Errorf("%s: %v", pattern, err)
			}
			continue
		}
		hosts, err := inv.Select(written)
		if got := written + " " + hostNames(hosts); got != want || err != nil {
			t.Errorf("%s: %s, want %s (%v)", pattern, got, want, err)
		}
	}
}

// TestSelectImplicitLocalhost: only SelectAnsible knows a localhost that is not in the inventory.
func TestSelectImplicitLocalhost(t *testing.T) {
	inv, err := New(Spec{Hosts: []HostSpec{{Name: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	hosts, warnings, err := inv.SelectAnsible("127.0.0.1,a,localhost")
	if got := hostNames(hosts); got != "127.0.0.1 a" || len(warnings) > 0 || err != nil || !hosts[0].Local {
		t.Error(got, warnings, err)
	}
	if _, err := inv.Select("localhost"); !errors.Is(err, lab.ErrInvalid) {
		t.Error(err)
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		glob, name string
		want       bool
	}{
		{"a", "a", true}, {"a", "A", false}, {"a", "ab", false}, {"*", "", true}, {"a*", "a", true},
		{"a*c", "abbc", true}, {"a*b*c", "aXbYbZc", true}, {"a*b*c", "aXbYbZ", false},
		{"?", "", false}, {"?", "ü", true}, {"[abc]", "b", true}, {"[!abc]", "b", false}, {"[a-c]", "b", true},
		{"[c-a]", "b", false}, {"[!c-a]", "b", true},
		{"[]]", "]", true}, {"[!]]", "a", true}, {"[a", "[a", true}, {"[!a", "[!a", true}, {"[a-]", "-", true},
		{"[-a]", "-", true}, {"[--a]", "A", true}, {"[a-c-e]", "-", true}, {"[a-c-e]", "d", false}, {"[^a]", "^", true},
		{"**a", "bba", true}, {"a.b", "axb", false}, {"\\*", "\\x", true},
	} {
		if got := compileGlob(c.glob)(c.name); got != c.want {
			t.Errorf("%q of %q: %v", c.glob, c.name, got)
		}
	}
	// Many stars do not make it exponential.
	compileGlob(strings.Repeat("*a", 5000) + "b")(strings.Repeat("a", 5000))
}

// FuzzSelect: no pattern causes a panic or selects a host twice, and an accepted pattern selects
// what Ansible selects.
func FuzzSelect(f *testing.F) {
	for _, s := range []string{"raspberries:&local:!gitea", "pi3,pi1", "step_ca[1:]", "~pi[12]", "pi*", "!", "[",
		"[::1]:22", "a:b:c:d:e:f:1:2", "10.0.0.[1:9]", "pi[!1-", "local[-1]", "\u00a0pi1\x1c",
		"pi1[99999999999999999999]", "~a{1,2}", "::", "pi[0:2:1]", "\xff[\xff]", "]pi1["} {
		f.Add(s)
	}
	inv := newLabInventory(f)
	f.Fuzz(func(t *testing.T, pattern string) {
		safe, err := inv.Select(pattern)
		theirs, _, theirErr := inv.SelectAnsible(pattern)
		if theirErr == nil {
			seen := map[*Host]bool{}
			for _, h := range theirs {
				if seen[h] {
					t.Errorf("%q: %s twice", pattern, h.Name)
				}
				seen[h] = true
			}
		}
		if err != nil {
			var e *lab.Error
			if len(safe) > 0 || !errors.As(err, &e) || !errors.Is(err, lab.ErrInvalid) && !errors.Is(err, lab.ErrNotFound) {
				t.Errorf("%q: %v", pattern, err)
			}
			return
		}
		if len(safe) == 0 || theirErr != nil || !sameSet(safe, theirs) {
			t.Errorf("%q: %s, Ansible: %s, %v", pattern, hostNames(safe), hostNames(theirs), theirErr)
		}
	})
}

func sameSet(a, b []*Host) bool {
	in := map[string]bool{}
	for _, h := range a {
		in[h.Name] = true
	}
	for _, h := range b {
		if !in[h.Name] {
			return false
		}
	}
	return len(a) == len(b)
}

func ExampleInventory_Select() {
	inv, err := New(Spec{
		Hosts: []HostSpec{{Name: "pi1", Address: "192.0.2.1"}, {Name: "pi2", Address: "192.0.2.2"},
			{Name: "pi3", Address: "192.0.2.3"}},
		Groups: []GroupSpec{
			{Name: "raspberries", Hosts: []string{"pi1", "pi2", "pi3"}},
			{Name: "postgres", Hosts: []string{"pi2"}},
			{Name: "gitea", Children: []string{"postgres"}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	hosts, err := inv.Select("raspberries:!gitea")
	for _, h := range hosts {
		fmt.Println(h.Name, h.Address, h.Groups)
	}
	fmt.Println(err)
	_, err = inv.Select("rasberries:!gitea")
	fmt.Println(err)
	// Output:
	// pi1 192.0.2.1 [raspberries]
	// pi3 192.0.2.3 [raspberries]
	// <nil>
	// rasberries:!gitea: select hosts: no such host or group: rasberries (nearest: raspberries)
}
