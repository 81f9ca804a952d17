package stepca_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca"
)

func valid() stepca.Config {
	return stepca.Config{Domain: "arcodange.lab", Primary: "pi1"}
}

func TestValidate(t *testing.T) {
	full := valid()
	full.Title, full.Active, full.Fingerprint, full.Port = "Arcodange", "pi2", strings.Repeat("0a", 32), 443
	full.Names, full.Wildcards = []string{"192.168.1.201", "pki.arcodange.lab"}, true
	full.Allow = []string{"*.k8s.arcodange.lab", "x.org"}
	full.Duration, full.MaxDuration, full.ACME, full.Provisioner = 24*time.Hour, 2160*time.Hour, "a", "me@example.org"
	full.Step = stepca.Program{URL: "https://example.org/step.tar.gz", SHA256: strings.Repeat("0", 64), Path: "bin/step"}
	full.Registries = []string{"gitea.arcodange.lab", "gitea.arcodange.lab:5000"}
	for name, c := range map[string]stepca.Config{"shortest": valid(), "full": full} {
		if ps := c.Validate(); len(ps) > 0 {
			t.Errorf("%s: %v", name, ps)
		}
	}
	for want, spoil := range map[string]func(*stepca.Config){
		"domain: is not the name of a domain":    func(c *stepca.Config) { c.Domain = "Arcodange lab" },
		"primary: is not the name of a machine":  func(c *stepca.Config) { c.Primary, c.Active = "", "pi2" },
		"active: is not the name of a machine":   func(c *stepca.Config) { c.Active = "$(reboot)" },
		"title: contains a newline":              func(c *stepca.Config) { c.Title = "a\nb" },
		"fingerprint: is not 64":                 func(c *stepca.Config) { c.Fingerprint = strings.Repeat("A", 64) },
		"port: is not a port":                    func(c *stepca.Config) { c.Port = 70000 },
		"names[1]: is neither":                   func(c *stepca.Config) { c.Names = []string{"a", "a b"} },
		"allow[0]: is not a name":                func(c *stepca.Config) { c.Allow = []string{"*.*.x"} },
		"duration: is not between 5m and max":    func(c *stepca.Config) { c.Duration = time.Minute },
		"maxDuration: is less than 504h":         func(c *stepca.Config) { c.MaxDuration = 200 * time.Hour },
		"acme: is the same as provisioner":       func(c *stepca.Config) { c.ACME, c.Provisioner = "x", "x" },
		"provisioner: is not the name":           func(c *stepca.Config) { c.Provisioner = "a b" },
		"registries[0]: is not a host":           func(c *stepca.Config) { c.Registries = []string{"https://x"} },
		"registries[0]: is not a host, nor HOST": func(c *stepca.Config) { c.Registries = []string{".."} },
		"registries[1]: is not a host":           func(c *stepca.Config) { c.Registries = []string{"x:5000", "x:99999"} },
		"step.url: is not an https": func(c *stepca.Config) {
			c.Step = stepca.Program{URL: "http://x/step", SHA256: strings.Repeat("0", 64)}
		},
		"step.sha256: is not 64":           func(c *stepca.Config) { c.Step.URL = "https://x/step" },
		"stepCA.sha256: there is no url":   func(c *stepca.Config) { c.StepCA.SHA256 = "0" },
		"stepCA.path: must be absolute":    func(c *stepca.Config) { c.StepCA.Path = "bin/step-ca" },
		"stepCA.path: is not a plain path": func(c *stepca.Config) { c.StepCA.Path = "/opt/x %i" },
	} {
		c := valid()
		spoil(&c)
		ps := c.Validate()
		if len(ps) != 1 || !strings.HasPrefix(ps[0].String(), want) || !errors.Is(ps.Err(), lab.ErrInvalid) {
			t.Errorf("want %q, got:\n%v", want, ps)
		}
	}
}

// Machines that do not fit the Config are found before anything is dialled.
func TestPlanValidates(t *testing.T) {
	named := func(names ...string) (machines []*host.Machine) {
		for _, n := range names {
			m := &host.Machine{}
			m.Target.Name = n
			machines = append(machines, m)
		}
		return machines
	}
	sink := lab.SecretDir{Path: t.TempDir()}
	for want, run := range map[string]func() error{
		"primary: is none of the machines": func() error {
			_, err := stepca.Plan(t.Context(), named("pi2"), valid(), sink)
			return err
		},
		"active: is none of the machines": func() error {
			c := valid()
			c.Active = "pi4"
			_, err := stepca.Plan(t.Context(), named("pi1"), c, sink)
			return err
		},
		"machines: is there twice": func() error {
			_, err := stepca.Plan(t.Context(), named("pi1", "pi1"), valid(), sink)
			return err
		},
		"machines: is not a name for DNS": func() error {
			_, err := stepca.Plan(t.Context(), named("pi1", "192.168.1.1:22"), valid(), sink)
			return err
		},
		"sink: there is none": func() error {
			_, err := stepca.Plan(t.Context(), named("pi1"), valid(), nil)
			return err
		},
	} {
		if err := run(); !errors.Is(err, lab.ErrInvalid) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// The programs come from wherever the Config says.
func TestProgram(t *testing.T) {
	sum := strings.Repeat("0", 64)
	for _, test := range []struct {
		step, server stepca.Program
		ids, exec    string
	}{
		{ids: "", exec: "/usr/bin/step-ca"},
		{step: stepca.Program{URL: "https://x/step", SHA256: sum}, server: stepca.Program{URL: "https://x/step-ca", SHA256: sum},
			ids: "download:/usr/local/bin/step download:/usr/local/bin/step-ca", exec: "/usr/local/bin/step-ca"},
		{step: stepca.Program{URL: "https://x/s.tar.gz", SHA256: sum}, server: stepca.Program{URL: "https://x/s.tgz", SHA256: sum},
			ids: "archive:/opt/step archive:/opt/step-ca", exec: "/opt/step-ca/step-ca"},
		{server: stepca.Program{URL: "https://x/s.tar", SHA256: sum, Path: "bin/ca"},
			ids: "archive:/opt/step-ca", exec: "/opt/step-ca/bin/ca"},
		{server: stepca.Program{Path: "/srv/step-ca"}, ids: "", exec: "/srv/step-ca"},
	} {
		c := valid()
		c.Step, c.StepCA = test.step, test.server
		var ids []string
		exec := ""
		for _, r := range c.Software() {
			if strings.HasPrefix(r.ID(), "download:") || strings.HasPrefix(r.ID(), "archive:") {
				ids = append(ids, r.ID())
			}
			if u, ok := r.(host.UnitFile); ok {
				exec = u.Content
			}
		}
		if strings.Join(ids, " ") != test.ids || !strings.Contains(exec, "ExecStart="+test.exec+" config/ca.json") {
			t.Errorf("%v, %s", ids, exec)
		}
		if err := c.Software().Validate(); err != nil {
			t.Error(err)
		}
	}
}

// A machine outside of the CA trusts its root, by what the sink keeps.
func TestTrust(t *testing.T) {
	s := newSite(t, 2)
	machines := s.machines
	s.machines = machines[:1]
	if _, err := stepca.Root(t.Context(), s.sink); !errors.Is(err, lab.ErrNotFound) {
		t.Errorf("a root before there is one: %v", err)
	}
	s.apply()
	s.machines = machines
	pem, err := stepca.Root(t.Context(), s.sink)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := apply(t.Context(), machines[1], s.config.Trust(pem)); err != nil {
		t.Fatal(err)
	}
	if p, err := machines[1].Plan(t.Context(), s.config.Trust(pem)); err != nil || !p.Empty() {
		t.Errorf("%v\n%s", err, p)
	}
	if !strings.Contains(s.file(2, "/etc/ssl/certs/ca-certificates.crt"), strings.TrimSpace(pem)) ||
		s.file(2, "/etc/docker/certs.d/gitea.arcodange.lab:5000/ca.crt") != pem {
		t.Error("the root is not trusted")
	}
	i, err := s.config.Issuer(t.Context(), machines[0])
	if err != nil {
		t.Fatal(err)
	}
	if i.URL != "https://ca.arcodange.lab:9000" || i.ACME != i.URL+"/acme/acme/directory" || i.KeyID == "" || i.Root != pem ||
		i.Duration-i.RenewBefore+7*24*time.Hour > i.Duration {
		t.Errorf("%+v", i)
	}
	if _, err := s.config.Issuer(t.Context(), machines[1]); !errors.Is(err, lab.ErrNotFound) {
		t.Errorf("an issuer on a machine without a CA: %v", err)
	}
}

func ExamplePlan() {
	config := stepca.Config{Domain: "arcodange.lab", Primary: "pi4", MaxDuration: 24 * time.Hour}
	m := &host.Machine{}
	m.Target.Name = "pi1"
	_, err := stepca.Plan(context.Background(), []*host.Machine{m}, config, lab.SecretDir{Path: "/home/me/.lab/secrets"})
	fmt.Println(err)
	// Output:
	// duration: is not between 5m and maxDuration: 168h0m0s
	// maxDuration: is less than 504h: certificates would not outlive a week without power: 24h0m0s
	// primary: is none of the machines of the CA: pi4
}
