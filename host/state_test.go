package host_test

import (
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
)

// TestSharedParts: sets share the directories that they write to, with each other and with a
// resource that says more about them.
func TestSharedParts(t *testing.T) {
	key := "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n"
	source := func(name string) host.AptSource {
		return host.AptSource{Name: name, URIs: []string{"https://example.org/" + name}, Suites: []string{"./"}, Key: key}
	}
	dropIn := func(name string) host.DropIn {
		return host.DropIn{Unit: "x.service", Name: name, Content: "[Unit]\n"}
	}
	box, m := open(t, hosttest.Config{})
	settle(t, m, host.State{
		source("a"), source("b"), dropIn("10-a"), dropIn("20-b"), host.Directory{Path: "/etc/apt/keyrings", Mode: 0o700},
	})
	out, err := box.Exec("stat -c %a /etc/apt/keyrings; ls /etc/apt/keyrings /etc/systemd/system/x.service.d")
	if err != nil || !strings.HasPrefix(out, "700\n") || strings.Count(out, "asc")+strings.Count(out, "conf") != 4 {
		t.Errorf("%s %v", out, err)
	}
	_, m = open(t, hosttest.Config{})
	p, err := m.Plan(t.Context(), host.State{source("a"), source("b")}, "aptsource:b")
	if err != nil || !strings.Contains(p.String(), "keyrings/b.asc") || strings.Contains(p.String(), "keyrings/a.asc") {
		t.Errorf("of the second alone: %v\n%s", err, p)
	}
	err = host.State{host.Directory{Path: "/etc/apt/keyrings", Absent: true}, source("a")}.Validate()
	if err == nil || !strings.Contains(err.Error(), "two resources have this ID") {
		t.Errorf("a directory that is absent and needed: %v", err)
	}
}

// TestContested: resources, and members of sets, that would revert each other at every run are a
// problem.
func TestContested(t *testing.T) {
	sum := strings.Repeat("0", 64)
	for name, s := range map[string]host.State{
		"file and download":   {host.File{Path: "/x"}, host.Download{Path: "/x", URL: "https://example.org/", SHA256: sum}},
		"file and link":       {host.File{Path: "/x"}, host.Link{Path: "/x", Target: "y"}},
		"file and directory":  {host.File{Path: "/x"}, host.Directory{Path: "/x"}},
		"absent and link":     {host.File{Path: "/x", Absent: true}, host.Link{Path: "/x", Target: "y"}},
		"download and line":   {host.Download{Path: "/x", URL: "https://example.org/", SHA256: sum}, host.Line{Path: "/x", Line: "l"}},
		"unit file and line":  {host.UnitFile{Name: "x.service", Content: "[Unit]"}, host.Line{Path: "/etc/systemd/system/x.service", Line: "l"}},
		"time zone and file":  {host.Timezone{Name: "UTC"}, host.Link{Path: "/etc/localtime", Target: "x"}},
		"host name and file":  {host.Hostname{Name: "pi1"}, host.File{Path: "/etc/hostname"}},
		"cron and its file":   {host.Cron{Name: "c", Schedule: "@daily", Command: "x"}, host.Block{Path: "/etc/cron.d/c", Name: "n"}},
		"fstab and its mount": {host.File{Path: "/etc/fstab"}, host.Mount{Path: "/m", Source: "LABEL=x"}},
	} {
		if err := s.Validate(); err == nil ||
			!strings.Contains(err.Error(), "[1]") && !strings.Contains(err.Error(), "two resources") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]host.State{
		"created once, then edited":    {host.File{Path: "/x", IfAbsent: true}, host.Line{Path: "/x", Line: "l"}},
		"unpacked into a directory":    {host.Directory{Path: "/x"}, host.Archive{Path: "/x", URL: "https://example.org/", SHA256: sum}},
		"mounted at a directory":       {host.Directory{Path: "/x"}, host.Mount{Path: "/x", Source: "LABEL=x"}},
		"two edits":                    {host.Line{Path: "/x", Line: "l"}, host.Block{Path: "/x", Name: "n"}},
		"a host name and another line": {host.Hostname{Name: "pi1"}, host.Line{Path: "/etc/hosts", Line: "l"}},
	} {
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefusedNames: names that the machine would reject or misinterpret are found before it is
// dialled.
func TestRefusedNames(t *testing.T) {
	for want, s := range map[string]host.State{
		"[0].owner":    {host.File{Path: "/x", Owner: "0000"}},
		"[0].group":    {host.Directory{Path: "/x", Group: "a:b"}},
		"[0].owner ":   {host.Download{Path: "/x", URL: "https://example.org/", SHA256: strings.Repeat("0", 64), Owner: "a\x00"}},
		"[0].owner  ":  {host.Line{Path: "/x", Line: "l", Owner: "-x"}},
		"[0].group  ":  {host.Archive{Path: "/x", URL: "https://example.org/", SHA256: strings.Repeat("0", 64), Group: "a b"}},
		"[0].mode":     {host.Download{Path: "/x", URL: "https://example.org/", SHA256: strings.Repeat("0", 64), Mode: 0o10000}},
		"[0].mode ":    {host.Block{Path: "/x", Name: "n", Mode: 0o10000}},
		"[0].mode  ":   {host.File{Path: "/x", Template: `{{secret "a"}}`, Values: map[string]lab.Secret{"a": lab.NewSecret("x")}, Mode: 0o644}},
		"[0].name":     {host.Unit{Name: "a*.service"}},
		"[0].name ":    {host.Unit{Name: ".service"}},
		"[0].name  ":   {host.Unit{Name: "service"}},
		"[0].name   ":  {host.Unit{Name: "getty@.service"}},
		"[0].name    ": {host.UnitFile{Name: "a b.service", Content: "[Unit]"}},
		"[0].validate": {host.File{Path: "/x", ValidateWith: "a\x00 %s"}},
	} {
		err := s.Validate()
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)+":") {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, s := range []host.State{
		{host.File{Path: "/x", Owner: "0", Group: "1000"}}, {host.File{Path: "/x", Owner: `DOM\user`, Group: "user@dom"}},
		{host.Unit{Name: "getty@tty1.service"}}, {host.Unit{Name: `dev-disk-by\x2dlabel-x.mount`}},
		{host.UnitFile{Name: "a@.service", Content: "[Unit]"}},
	} {
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", s[0].ID(), err)
		}
	}
}

// TestMisordered: what is wrong with an order is reported once, at the index of the resource, beside
// everything else.
func TestMisordered(t *testing.T) {
	after := func(ids ...string) host.Order { return host.Order{After: ids} }
	cron := host.Cron{Name: "c", Schedule: "@daily", Command: "x"}
	for name, c := range map[string]struct {
		state host.State
		want  string
	}{
		"an unknown ID": {host.State{host.File{Path: "/a"}, host.File{Path: "/b", Order: after("file:/aa")}},
			"[1].after: no resource has this ID: file:/aa (nearest: file:/a)"},
		"beside a problem of another": {host.State{host.File{Path: "a"}, host.File{Path: "/b", Order: after("file:/nowhere", "file:a")}},
			"[0].path: is not absolute: a\n[1].after: no resource has this ID: file:/nowhere"},
		"of a set": {host.State{host.File{Path: "/b"}, host.Cron{Name: "c", Schedule: "@daily", Command: "x", Order: after("x")}},
			"[1].after: no resource has this ID: x"},
		"what is in a set": {host.State{cron, host.File{Path: "/b", Order: after("file:/etc/cron.d/c")}}, ""},
		"beside a set that is wrong": {host.State{host.Cron{Name: "c d", Schedule: "@daily", Command: "x"},
			host.File{Path: "/b", Order: after("file:/etc/cron.d/c d")}},
			"[0].name: is not a file name that cron reads: letters, digits, - and _: c d"},
		"beside one that could not be read": {host.State{nil, host.File{Path: "/b", Order: after("file:/a")}}, "[0]: is nil"},
		"what is implied": {host.State{host.Package{Name: "jq"}, host.File{Path: "a"}, host.File{Path: "/b", Order: after("apt:update")}},
			"[1].path: is not absolute: a"},
		"the same twice": {host.State{host.File{Path: "/a"}, host.File{Path: "/a", Content: "x"}},
			"[1]: the same as [0]: file:/a (remove one of them)"},
		"a cycle": {host.State{host.File{Path: "/a", Order: after("file:/b")}, host.File{Path: "/b", Order: after("file:/a")}},
			"[0]: comes after itself: file:/a, after file:/b, after file:/a"},
		"a cycle of one": {host.State{host.File{Path: "/a"}, host.File{Path: "/b", Order: after("file:/b")}},
			"[1]: comes after itself: file:/b, after file:/b"},
	} {
		got := ""
		if err := c.state.Validate(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, c.want)
		}
	}
}
