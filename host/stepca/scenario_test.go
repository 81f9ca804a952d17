package stepca_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca"
)

// scenarios are what happens to labs, on two new machines each.
var scenarios = map[string]func(*site){
	"change": change, "reload fails": reloadFails, "torn database": tornDatabase, "drift": drift, "takeover": takeover,
	"adopt": adopt, "root key stays": rootKeyStays,
}

// TestScenarios plays them with the programs of stepcatest, TestRealScenarios with the real ones.
func TestScenarios(t *testing.T) {
	for name, play := range scenarios {
		t.Run(name, func(t *testing.T) { play(newSite(t, 2)) })
	}
}

func TestRealScenarios(t *testing.T) {
	s := newReality(t, 2).site
	for name, play := range scenarios {
		s.under(name, play)
	}
}

// A change of the Config changes ca.json everywhere, and every instance reloads it, one after the
// other, without a restart.
func change(s *site) {
	s.apply()
	before := s.runs()
	s.config.Wildcards, s.config.Allow = false, []string{"*.k8s.arcodange.lab"}
	s.apply()
	s.converged()
	if after := s.runs(); !slices.Equal(before, after) {
		s.Errorf("restarted: %q, %q", before, after)
	}
	for i := range s.machines {
		if n := s.exec(i+1, "journalctl -u step-ca -b -o cat | grep -c reloading"); n != "1\n" {
			s.Errorf("pi%d reloaded %s times", i+1, n)
		}
	}
}

// A ca.json that the server cannot use is not taken for one that it has: systemd does not say so.
func reloadFails(s *site) {
	s.apply()
	right, before := s.file(1, settings), s.runs()
	s.exec(1, `sed -i 's|/etc/step-ca/db|/nowhere|' `+settings)
	if _, err := s.mustPlan().Apply(s.Context(), nil); err == nil || !strings.Contains(err.Error(), "earlier") {
		s.Errorf("the reload failed, and the plan did not: %v", err)
	}
	if s.file(2, settings) != right {
		s.Error("the replica got what the primary cannot use")
	}
	if p := s.mustPlan(); !strings.Contains(p.String(), "reload:step-ca.service: it runs with an earlier ca.json") {
		s.Errorf("the next plan does not know:\n%s", p)
	}
	s.exec(1, `sed -i 's|/nowhere|/etc/step-ca/db|' `+settings)
	s.apply()
	s.converged()
	if after := s.runs(); !slices.Equal(before, after) {
		s.Errorf("restarted: %q, %q", before, after)
	}
}

// A database that a power cut left with half an entry is cut where the server can read it.
func tornDatabase(s *site) {
	s.apply()
	s.exec(2, "systemctl stop step-ca; printf half >>/etc/step-ca/db/000000.vlog; systemctl start step-ca || :")
	for i := 0; i < 50 && !strings.Contains(s.exec(2, "journalctl -u step-ca -o cat"), "Truncate Needed"); i++ {
		s.exec(2, "sleep 0.1")
	}
	s.apply()
	s.converged()
	if !strings.HasSuffix(s.file(2, "/etc/step-ca/000000.vlog.torn"), "half") {
		s.Error("the file was not kept")
	}
}

// What somebody changed on a replica is as it was; on the primary it is the authority's.
func drift(s *site) {
	s.apply()
	key, before := s.file(1, intermediate), s.runs()
	s.exec(2, "echo broken >"+intermediate+"; chmod 0644 "+passwordFile+"; rm "+settings)
	s.apply()
	s.converged()
	if s.file(2, intermediate) != key || s.exec(2, "stat -c %a "+passwordFile) != "600\n" ||
		s.file(2, settings) != s.file(1, settings) {
		s.Error("pi2 is not as pi1")
	}
	if after := s.runs(); after[1] == before[1] || after[0] != before[0] {
		s.Errorf("the server whose key was replaced was not restarted, or the other was: %q, %q", before, after)
	}
}

// A replica that was proved while the primary is stopped takes over, and can become the primary for
// good; the other then gets its copy from it.
func takeover(s *site) {
	s.apply()
	s.exec(1, "systemctl stop step-ca")
	s.config.Active = "pi2"
	if s.config.ActiveMachine() != "pi2" {
		s.Error("the record does not follow")
	}
	if err := stepca.Prove(s.Context(), s.machines[1], s.config, s.sink); err != nil {
		s.Errorf("the replica does not issue while the primary is down: %v", err)
	}
	s.config.Active = ""
	s.apply() // starts the primary again
	if err := stepca.Prove(s.Context(), s.machines[0], s.config, s.sink); err != nil {
		s.Errorf("the primary does not issue again: %v", err)
	}

	s.exec(1, "systemctl stop step-ca; rm -r /etc/step-ca") // its SD card was replaced
	if _, err := s.plan(); !errors.Is(err, lab.ErrRefused) ||
		!strings.Contains(strings.Join(lab.Hints(err), " "), "set primary to pi2") {
		s.Fatalf("an authority would be made again: %v %v", err, lab.Hints(err))
	}
	s.config.Primary = "pi2"
	s.apply()
	s.converged()
	if s.file(1, intermediate) != s.file(2, intermediate) {
		s.Error("pi1 has not the copy of pi2")
	}
}

// An authority that was made by hand is kept: its root key and the password of that go to the sink,
// its ca.json gets what the Config wants beside what is there.
func adopt(s *site) {
	s.byHand(1)
	before := s.file(1, root)
	if _, err := s.plan(); !errors.Is(err, lab.ErrNotFound) || !strings.Contains(err.Error(), stepca.ProvisionerPassword) {
		s.Fatalf("planned without the provisioner's password: %v", err)
	}
	if err := s.sink.Put(s.Context(), stepca.ProvisionerPassword, lab.NewSecret("by hand")); err != nil {
		s.Fatal(err)
	}
	s.apply()
	s.converged()
	if s.file(1, root) != before || s.file(2, root) != before || s.secret(stepca.RootCertificate) != before {
		s.Error("another root")
	}
	if s.file(1, rootKey) != "" || s.secret(stepca.RootKey) == "" || s.secret(stepca.RootPassword) != "by hand" {
		s.Error("the root key did not move, with its password")
	}
}

// The root key stays on the machine until the sink gives it back, with the password that opens it.
func rootKeyStays(s *site) {
	ofSink := map[string]func(*sink){
		"the sink loses the key":      func(k *sink) { k.loses = stepca.RootKey },
		"the sink loses the password": func(k *sink) { k.loses = stepca.RootPassword },
		"the sink has another key":    func(k *sink) { _ = k.Put(s.Context(), stepca.RootKey, lab.NewSecret("another")) },
		"the sink is full":            func(k *sink) { k.readOnly = true },
		"the sink garbles the key":    func(k *sink) { k.garbles = stepca.RootKey },
	}
	cases := map[string]func(*site){
		"the password does not fit": func(s *site) {
			_ = s.sink.Put(s.Context(), stepca.RootPassword, lab.NewSecret("wrong"))
		},
		"password.txt is another's": func(s *site) { s.exec(1, "echo other >"+passwordFile) },
		"the key is another root's": func(s *site) {
			s.exec(1, "STEPPATH=/root/x step ca init --deployment-type standalone --name O --dns o --address :1 "+
				"--provisioner p --password-file "+passwordFile+" && cp /root/x/secrets/root_ca_key "+rootKey)
		},
	}
	cases["the key changes meanwhile"] = func(s *site) {
		s.sink.put = func(name string) {
			if name == stepca.RootKey {
				s.exec(1, "echo >>"+rootKey)
			}
		}
	}
	for name, spoil := range ofSink {
		if s.boxes != nil { // it is the same for a real machine
			cases[name] = func(s *site) { spoil(s.sink) }
		}
	}
	for name, spoil := range cases {
		s.under(name, func(s *site) {
			s.machines = s.machines[:1]
			s.byHand(1)
			if err := s.sink.Put(s.Context(), stepca.ProvisionerPassword, lab.NewSecret("by hand")); err != nil {
				s.Fatal(err)
			}
			p := s.mustPlan()
			spoil(s)
			r, err := p.Apply(s.Context(), nil)
			if err == nil {
				s.Errorf("it passes\n%s", r)
			}
			if !strings.Contains(s.file(1, rootKey), "PRIVATE KEY") {
				s.Errorf("the root key is gone: %v", err)
			}
		})
	}
}
