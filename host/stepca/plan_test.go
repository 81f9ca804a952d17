package stepca_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares a plan with a file of testdata.
func golden(t *testing.T, name string, p *lab.Plan) {
	t.Helper()
	file := "testdata/" + name + ".golden"
	if *update {
		if err := os.WriteFile(file, []byte(p.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != p.String() {
		t.Errorf("%s: %v\n%s", name, err, lab.Diff(file, want, []byte(p.String())))
	}
}

// The plans of a new lab and of a change show what is done, and no secret.
func TestPlans(t *testing.T) {
	s := newSite(t, 2)
	golden(t, "first", s.apply())
	s.config.Wildcards, s.config.Allow = false, []string{"*.k8s.arcodange.lab"}
	golden(t, "change", s.mustPlan())
	s.exec(2, "rm -r /etc/step-ca/secrets")
	s.byHandKey(1)
	golden(t, "repair", s.mustPlan())
}

// A lab with nothing gets one authority: the same on every machine, the root key on none.
func TestFirst(t *testing.T) {
	s := newSite(t, 3)
	s.apply()
	s.converged()
	for _, file := range []string{root, intermediate, passwordFile, settings} {
		for i := 1; i <= 3; i++ {
			if s.file(i, file) == "" || s.file(i, file) != s.file(1, file) {
				t.Errorf("pi%d: %s is not that of pi1", i, file)
			}
			if out := s.exec(i, "stat -c '%a %U:%G' "+file); out != "600 step:step\n" {
				t.Errorf("pi%d: %s is %s", i, file, out)
			}
		}
	}
	for i, ca := range s.cas {
		if s.file(i+1, rootKey) != "" {
			t.Errorf("pi%d still has the root key", i+1)
		}
		if c := ca.Counters(); c.Starts != 1 || c.Reloads != 0 {
			t.Errorf("pi%d: %+v", i+1, c)
		}
		if n := strings.Count(strings.Join(ca.Calls(), ","), "ca certificate"); n != 1 {
			t.Errorf("pi%d has issued %d certificates to prove itself", i+1, n)
		}
		for _, file := range []string{"/usr/local/share/ca-certificates/arcodange-root.crt",
			"/etc/docker/certs.d/gitea.arcodange.lab:5000/ca.crt"} {
			if s.file(i+1, file) != s.file(1, root) {
				t.Errorf("pi%d: %s is not the root", i+1, file)
			}
		}
	}
	if n := strings.Count(strings.Join(append(s.cas[1].Calls(), s.cas[2].Calls()...), ","), "ca init"); n != 0 {
		t.Errorf("replicas were initialised %d times", n)
	}
	if s.secret(stepca.RootCertificate) != s.file(1, root) || s.secret(stepca.RootKey) == "" {
		t.Error("the sink has not the root and its key")
	}
	passwords := map[string]bool{}
	for _, name := range []string{stepca.RootPassword, stepca.IntermediatePassword, stepca.ProvisionerPassword} {
		passwords[s.secret(name)] = true
	}
	if len(passwords) != 3 || passwords[""] {
		t.Error("the passwords are not three")
	}
}

// After a reboot of each machine, and after one of all, there is nothing to do.
func TestReboot(t *testing.T) {
	s := newSite(t, 3)
	s.apply()
	for i, box := range s.boxes {
		box.Reboot()
		s.converged()
		if err := stepca.Prove(t.Context(), s.machines[i], s.config, s.sink); err != nil {
			t.Error(err)
		}
	}
	for _, box := range s.boxes {
		box.PowerCut()
	}
	s.converged()
}

// A machine that cannot be reached does not stop the others once there is an authority.
func TestUnreachable(t *testing.T) {
	s := newSite(t, 3)
	s.boxes[2].Faults().Refuse(true)
	if _, err := s.plan(); !errors.Is(err, lab.ErrRefused) || !errors.Is(err, lab.ErrUnreachable) {
		t.Errorf("an authority is made although a machine may have one: %v", err)
	}
	s.boxes[2].Faults().Reset()
	s.apply()
	s.boxes[2].Faults().Refuse(true)
	s.machines[2].Close()
	s.config.Allow = []string{"x.example.org"}
	p, err := s.plan()
	if !errors.Is(err, lab.ErrUnreachable) || p.Empty() {
		t.Fatalf("%v\n%s", err, p)
	}
	if _, err := p.Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	s.boxes[2].Faults().Reset()
	s.apply()
	s.converged()
}

// No secret is shown, whatever happens.
func TestSecrets(t *testing.T) {
	s := newSite(t, 2)
	var shown strings.Builder
	p := s.mustPlan()
	r, err := p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) { fmt.Fprintf(&shown, "%+v\n", e) }})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(&shown, p, r)
	s.exec(2, "echo x >"+passwordFile)
	s.cas[1].Fail("ca certificate", "refused: "+s.secret(stepca.ProvisionerPassword))
	p = s.mustPlan()
	r, err = p.Apply(t.Context(), &lab.ApplyOptions{Events: func(e lab.Event) { fmt.Fprintf(&shown, "%+v\n", e) }})
	if err == nil {
		t.Error("an instance that issues nothing passes")
	}
	fmt.Fprint(&shown, p, r, err)
	for _, name := range []string{stepca.RootKey, stepca.RootPassword, stepca.IntermediatePassword, stepca.ProvisionerPassword} {
		for line := range strings.Lines(s.secret(name)) {
			if strings.Contains(shown.String(), strings.TrimSpace(line)) && !strings.HasPrefix(line, "-----") {
				t.Errorf("%s is shown", name)
			}
		}
	}
	if strings.Contains(shown.String(), "-----BEGIN STEPCATEST") {
		t.Error("a key is shown")
	}
}

// Cut off at any write of the primary, the next runs end with the one authority, and never lose the
// root key: it is on the machine or in the sink.
func TestPowerCuts(t *testing.T) {
	for k := 1; ; k++ {
		s := newSite(t, 1)
		done := s.boxes[0].Faults().PowerCutAtWrite(k)
		_, err := s.mustPlan().Apply(t.Context(), nil)
		if err == nil {
			if k < 20 {
				t.Errorf("only %d writes", k)
			}
			return
		}
		<-done
		made := s.file(1, root)
		if made != "" && s.file(1, rootKey) == "" && s.secret(stepca.RootKey) == "" {
			t.Fatalf("cut at write %d: the root key is lost", k)
		}
		for try := 0; ; try++ {
			p, err := s.plan()
			if err == nil {
				_, err = p.Apply(t.Context(), nil)
			}
			if err == nil {
				break
			}
			if try == 3 {
				t.Fatalf("cut at write %d: %v\n%s", k, err, p)
			}
		}
		s.converged()
		if made != "" && s.secret(stepca.RootCertificate) != made {
			t.Errorf("cut at write %d: the authority was made again", k)
		}
	}
}

// A converged CA costs a machine two execs and no write, and no key leaves it.
func TestConvergedCost(t *testing.T) {
	s := newSite(t, 3)
	s.apply()
	s.converged()
	for i, box := range s.boxes {
		before := box.Counters()
		s.converged()
		after := box.Counters()
		if n := after.Execs - before.Execs; n != 2 {
			t.Errorf("pi%d: %d execs", i+1, n)
		}
		if n := after.Writes + after.TmpWrites - before.Writes - before.TmpWrites; n != 0 {
			t.Errorf("pi%d: %d writes", i+1, n)
		}
		if n := after.Commands["base64"] - before.Commands["base64"]; n != 3 { // two certificates and ca.json
			t.Errorf("pi%d: %d files were read", i+1, n)
		}
	}
}
