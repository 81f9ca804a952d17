package stepca_test

import (
	"errors"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca"
)

// Every state in which a plan could only do harm is refused, with the way out, and nothing is written.
func TestGuards(t *testing.T) {
	other := strings.Repeat("ab", 32)
	for name, test := range map[string]struct {
		prepare func(*site)
		says    string
		hint    string
	}{
		"second init: a fingerprint is in the config": {
			func(s *site) { s.config.Fingerprint = other }, "another must not be made", "restore /etc/step-ca"},
		"second init: the sink keeps a root": {func(s *site) {
			s.apply()
			for i := range s.boxes {
				s.exec(i+1, "systemctl stop step-ca; rm -r /etc/step-ca")
			}
		}, "another must not be made", "restore /etc/step-ca"},
		"second init: a replica has a root": {
			func(s *site) { s.byHand(2) }, "pi2 has one: another must not be made", "set primary to pi2"},
		"second init: something is there": {
			func(s *site) { s.exec(1, "mkdir /etc/step-ca; echo x >/etc/step-ca/password.txt") },
			"other files: password.txt", "move it away"},
		"fingerprint of the config is not the sink's": {
			func(s *site) { s.apply(); s.config.Fingerprint = other }, "the root that is kept in the sink", "find out"},
		"fingerprint of the config is not the primary's": {
			func(s *site) { s.byHand(1); s.config.Fingerprint = other }, "its root has the fingerprint", "find out"},
		"a replica has another root": {
			func(s *site) { s.byHand(1); s.byHand(2) }, "pi2: plan the authority /etc/step-ca/certs/root_ca.crt", "move the other"},
		"the primary's root was replaced": {func(s *site) {
			s.apply()
			s.exec(1, "systemctl stop step-ca; rm -r /etc/step-ca")
			s.byHand(1)
		}, "pi1: plan the authority", "find out"},
		"a root that is no certificate": {
			func(s *site) { s.apply(); s.exec(2, "echo x >"+root) }, "fingerprint unreadable", "find out"},
		"the primary's key is gone": {
			func(s *site) { s.apply(); s.exec(1, "rm "+intermediate) }, "incomplete: " + intermediate, "set primary"},
		"the intermediate is of another root": {func(s *site) {
			s.byHand(2)
			b := s.file(2, "/etc/step-ca/certs/intermediate_ca.crt")
			s.exec(2, "rm -r /etc/step-ca")
			s.apply()
			if err := s.boxes[0].FS().WriteFile("/etc/step-ca/certs/intermediate_ca.crt", []byte(b)); err != nil {
				s.Fatal(err)
			}
		}, "it is not of the root", "restore it"},
		"ca.json is no JSON": {
			func(s *site) { s.apply(); s.exec(1, "echo x >"+settings) }, "it is not JSON", ""},
		"the provisioners are in the database": {
			func(s *site) {
				s.apply()
				s.exec(1, `sed -i 's/"authority": {/"authority": {"enableAdmin": true,/' `+settings)
			},
			"in its database", "remote management"},
		"no such provisioner": {
			func(s *site) { s.apply(); s.config.Provisioner = "other" }, "those that it has: cert-manager", "set provisioner"},
		"templates are not copied": {
			func(s *site) {
				s.apply()
				s.exec(1, `sed -i 's/"authority": {/"x": {"templateFile": "x"}, "authority": {/' `+settings)
			},
			"template files", "keep them"},
		"the clock is wrong": {
			func(s *site) { s.skew.Store(-3600) }, "compare the clock", "timedatectl"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, 2)
			test.prepare(s)
			before := s.boxes[0].FS().Snapshot("/etc")
			p, err := s.plan()
			if err == nil || !strings.Contains(err.Error(), test.says) || p != nil {
				t.Fatalf("%v\n%s", err, p)
			}
			if !strings.Contains(strings.Join(lab.Hints(err), "\n"), test.hint) {
				t.Errorf("hints: %q", lab.Hints(err))
			}
			if d := before.Diff(s.boxes[0].FS().Snapshot("/etc")); len(d) > 0 {
				t.Errorf("a plan has written: %v", d)
			}
		})
	}
}

// A record that is not read back as it was put is none.
func TestSinkGarbles(t *testing.T) {
	s := newSite(t, 1)
	s.sink.garbles = stepca.RootCertificate
	if _, err := s.mustPlan().Apply(t.Context(), nil); !errors.Is(err, lab.ErrDrift) ||
		!strings.Contains(err.Error(), "another value is read back") {
		t.Errorf("%v", err)
	}
	if s.file(1, "/usr/local/share/ca-certificates/arcodange-root.crt") != "" {
		t.Error("a root is trusted that is not kept")
	}
}

// Nothing is made while its secrets cannot be kept.
func TestSinkNotWritable(t *testing.T) {
	s := newSite(t, 2)
	s.sink.readOnly = true
	if _, err := s.mustPlan().Apply(t.Context(), nil); !errors.Is(err, lab.ErrUnauthorized) {
		t.Errorf("%v", err)
	}
	if s.file(1, root) != "" || len(s.cas[0].Calls()) > 0 {
		t.Error("an authority was made")
	}
}
