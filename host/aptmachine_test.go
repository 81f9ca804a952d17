package host_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// deb is a package in the repository of a test. Its name starts with "x-".
type deb struct{ name, version, depends, conflicts, provides, postinst string }

// aptMachine is a machine with a package repository of its own.
type aptMachine struct {
	*host.Machine
	t       *testing.T
	real    bool
	publish func(debs ...deb) // adds packages to the repository, which the machine sees after apt-get update
}

// onAptMachines runs the test on a machine in this process and on a real Debian machine. None of the packages is
// installed, and the package lists are fresh.
func onAptMachines(t *testing.T, test func(t *testing.T, m *aptMachine)) {
	t.Run("in process", func(t *testing.T) { test(t, fakeApt(t)) })
	t.Run("machine", func(t *testing.T) {
		m := &host.Machine{Target: realTarget(real.Machines(t, 1)[0])}
		defer m.Close()
		test(t, realApt(t, m))
	})
}

func fakeApt(t *testing.T) *aptMachine {
	box, m := open(t, hosttest.Config{})
	a := &aptMachine{Machine: m, t: t}
	a.publish = func(debs ...deb) {
		for _, d := range debs {
			box.AddPackage(hosttest.Package{Name: d.name, Version: d.version, Arch: "all", Depends: d.depends, Conflicts: d.conflicts,
				Provides: d.provides, Postinst: d.postinst, Files: map[string]string{"/usr/share/" + d.name: d.version}})
		}
	}
	a.fresh()
	return a
}

func realApt(t *testing.T, m *host.Machine) *aptMachine {
	a := &aptMachine{Machine: m, t: t, real: true}
	a.sh("rm -rf /srv/x; mkdir -p /srv/x; : >/srv/x/Packages; rm -f /etc/apt/sources.list.d/vendor*\n" +
		"echo 'deb [trusted=yes] copy:/srv/x ./' >/etc/apt/sources.list.d/x.list\n" +
		"apt-mark unhold 'x-*' >/dev/null 2>&1\n" +
		"dpkg --purge --force-all $(dpkg-query -W -f '${Package} ' 'x-*' 2>/dev/null) >/dev/null 2>&1 || :")
	a.publish = func(debs ...deb) {
		var b strings.Builder
		b.WriteString("set -e; umask 022; cd /srv/x\n")
		for _, d := range debs {
			control := "Package: " + d.name + "\nVersion: " + d.version + "\nArchitecture: all\nMaintainer: Lab <lab@localhost>\n"
			for field, v := range map[string]string{"Depends": d.depends, "Conflicts": d.conflicts, "Provides": d.provides} {
				if v != "" {
					control += field + ": " + v + "\n"
				}
			}
			fmt.Fprintf(&b, "t=$(mktemp -d); mkdir $t/DEBIAN; printf %%s %s >$t/DEBIAN/control\n", ssh.Quote(control+"Description: for tests\n"))
			if d.postinst != "" {
				fmt.Fprintf(&b, "printf '#!/bin/sh\\n%%s\\n' %s >$t/DEBIAN/postinst; chmod 755 $t/DEBIAN/postinst\n",
					ssh.Quote(d.postinst))
			}
			fmt.Fprintf(&b, "f=%s_%s_all.deb; dpkg-deb -b --root-owner-group -Znone $t $f >/dev/null; rm -r $t\n"+
				"{ dpkg-deb -f $f; echo Filename: ./$f; echo Size: $(stat -c %%s $f)\n"+
				"echo SHA256: $(sha256sum <$f | cut -d' ' -f1); echo; } >>Packages\n", d.name, d.version)
		}
		a.sh(b.String())
	}
	a.fresh()
	return a
}

// sh runs a script as root and returns what it printed.
func (a *aptMachine) sh(script string) string {
	a.t.Helper()
	r, err := a.Run(a.t.Context(), ssh.Command{Root: true, Script: "exec 2>&1; export DEBIAN_FRONTEND=noninteractive\n" + script})
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		a.t.Fatalf("%s: %v\n%s", script, err, r.Stdout)
	}
	return string(r.Stdout)
}

// fresh downloads the package lists as a run with packages does, so that the next needs not.
func (a *aptMachine) fresh() {
	a.t.Helper()
	a.sh("apt-get -q update; mkdir -p /run/lab; touch /run/lab/apt-updated")
}

// installed returns the versions of the test's packages that are installed, or half so.
func (a *aptMachine) installed() map[string]string {
	a.t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(a.sh("dpkg-query -W -f='${db:Status-Abbrev}${Package} ${Version}\\n' 'x-*' 2>/dev/null || :")) {
		if f := strings.Fields(line[3:]); line[1] != 'n' && line[1] != 'c' {
			out[f[0]] = f[1] + strings.TrimPrefix(line[1:2], "i")
		}
	}
	return out
}

func (a *aptMachine) plan(s host.State) *lab.Plan {
	a.t.Helper()
	p, err := a.Plan(a.t.Context(), s)
	if err != nil {
		a.t.Fatalf("plan: %v %v", err, lab.Hints(err))
	}
	return p
}

// changes returns the changes of a plan as "ID action risk", without the step and the update of the lists.
func changes(p *lab.Plan) (out []string) {
	for _, c := range p.Changes() {
		if _, id, _ := strings.Cut(strings.TrimPrefix(c.ID, "host/"), "/"); id != "apt:update" {
			out = append(out, fmt.Sprintf("%s %s %s", id, c.Action, c.Risk))
		}
	}
	return out
}

// packages returns a state with the packages, whose names may have the form NAME=VERSION, !NAME for absent, or
// NAME|OTHER for one that OTHER may stand in for.
func packages(words ...string) (s host.State) {
	for _, w := range words {
		w, or, _ := strings.Cut(w, "|")
		name, absent := strings.CutPrefix(w, "!")
		name, version, _ := strings.Cut(name, "=")
		p := host.Package{Name: name, Version: version, Absent: absent}
		if or != "" {
			p.Or = strings.Split(or, "|")
		}
		s = append(s, p)
	}
	return s
}

func versions(m map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		out = append(out, name+"="+m[name])
	}
	return strings.Join(out, " ")
}
