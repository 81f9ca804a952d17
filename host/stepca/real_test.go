package stepca_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	cryptossh "golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
	"gitea.arcodange.lab/arcodange-org/lab/host/stepca"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// reality is a site of Debian machines with the real step and step-ca.
type reality struct {
	*site
	real []*real.Machine
}

func newReality(t *testing.T, n int) *reality {
	r := &reality{site: &site{T: t, sink: newSink(t)}, real: real.Machines(t, n)}
	var step, server real.SmallstepProgram
	for _, m := range r.real {
		step, server = m.StepCA(t)
		hm := &host.Machine{Target: ssh.Target{Name: m.Name, Address: m.Addr, User: m.User,
			Boundary: &lab.Boundary{Name: "test", Allow: []netip.Prefix{netip.MustParsePrefix(m.Host + "/32")}},
			Auth:     ssh.Auth{Signers: []cryptossh.Signer{m.Key}},
			HostKeys: ssh.HostKeys{Pinned: []string{string(cryptossh.MarshalAuthorizedKey(m.HostKey))}}}}
		t.Cleanup(func() { hm.Close() })
		r.machines = append(r.machines, hm)
	}
	r.config = stepca.Config{Domain: "arcodange.lab", Title: "Arcodange", Primary: "pi1", Wildcards: true,
		Step:       stepca.Program{URL: "file://" + step.Path, SHA256: step.SHA256},
		StepCA:     stepca.Program{URL: "file://" + server.Path, SHA256: server.SHA256},
		Registries: []string{"gitea.arcodange.lab:5000"}}
	return r
}

// sh runs a script as root on a machine, counted from 1, and returns what it prints.
func (r *reality) sh(machine int, script string) (string, error) {
	res, err := r.machines[machine-1].Run(r.Context(), ssh.Command{Root: true, Script: "set -e\n" + script})
	if err == nil && res.Exit != 0 {
		err = fmt.Errorf("exit status %d: %s", res.Exit, res.Stderr)
	}
	if err != nil {
		return "", err
	}
	return string(res.Stdout), nil
}

// record makes the machines find the CA where its DNS record would lead them.
func (r *reality) record() {
	for i, m := range r.real {
		if m.Name != r.config.ActiveMachine() {
			continue
		}
		for to := range r.real {
			r.exec(to+1, fmt.Sprintf("sed -i /%[1]s/d /etc/hosts; echo '%[2]s %[1]s' >>/etc/hosts", r.config.Host(), r.real[i].Host))
		}
	}
}

// issue asks the CA by its name, on a machine, for a certificate, and returns its chain and its key.
func (r *reality) issue(machine int, subject, options string) (chain, key string, err error) {
	password, err := r.sink.Get(r.Context(), stepca.ProvisionerPassword)
	if err != nil {
		return "", "", err
	}
	out, err := r.sh(machine, fmt.Sprintf(`w=$(mktemp -d /run/test.XXXXXX); trap 'rm -rf "$w"' EXIT
echo %s >"$w/password"
/usr/local/bin/step ca certificate '%s' "$w/crt" "$w/key" --ca-url %s --root /usr/local/share/ca-certificates/arcodange-root.crt \
  --provisioner cert-manager --provisioner-password-file "$w/password" %s </dev/null >&2
cat "$w/crt" "$w/key"`, password.Reveal(), subject, r.config.URL(), options))
	at := strings.LastIndex(out, "-----BEGIN EC PRIVATE KEY")
	if err == nil && at < 0 {
		err = fmt.Errorf("no key in %q", out)
	}
	if err != nil {
		return "", "", err
	}
	return out[:at], out[at:], nil
}

// leaf parses the first certificate.
func (r *reality) leaf(chain string) *x509.Certificate {
	r.Helper()
	block, _ := pem.Decode([]byte(chain))
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// The real step-ca on three Debian machines: made once, the same everywhere, proved on each, trusted by
// each, and there after a reboot.
func TestReal(t *testing.T) {
	r := newReality(t, 3)
	r.apply()
	r.converged()
	fingerprint := r.exec(1, "step certificate fingerprint "+root)
	for i := 1; i <= 3; i++ {
		if out := r.exec(i, "step certificate fingerprint "+root); out != fingerprint {
			t.Errorf("pi%d has the root %s", i, out)
		}
		const left = "find /etc/step-ca -name '*root_ca_key*'; find /etc -maxdepth 1 -name 'step-ca.*'; ls -d /run/lab-step* || :"
		if out := r.exec(i, left); out != "" {
			t.Errorf("pi%d still has %s", i, out)
		}
		out := r.exec(i, "stat -c '%a %U:%G' "+intermediate+" "+passwordFile+" "+settings)
		if out != strings.Repeat("600 step:step\n", 3) {
			t.Errorf("pi%d: %s", i, out)
		}
	}
	r.config.Fingerprint = strings.TrimSpace(fingerprint)
	r.converged()
	r.record()
	t.Run("wildcard", r.on(func(r *reality) { r.wildcard() }))
	t.Run("week", r.on(func(r *reality) { r.week() }))
	t.Run("policy", r.on(func(r *reality) { r.policy() }))
	t.Run("takeover", r.on(func(r *reality) { r.takeover() }))
	t.Run("key", r.on(func(r *reality) { r.keyInSink() }))
	t.Run("reboot", r.on(func(r *reality) { r.reboot() }))
}

func (r *reality) on(f func(*reality)) func(*testing.T) {
	return func(t *testing.T) {
		own := &site{T: t, machines: r.machines, config: r.config, sink: r.sink}
		f(&reality{own, r.real})
		r.config = own.config
	}
}

// wildcard has each machine connect to a server with a certificate for *.arcodange.lab, trusting what
// Debian trusts.
func (r *reality) wildcard() {
	chain, key, err := r.issue(2, "*.arcodange.lab", "")
	if err != nil {
		r.Fatal(err)
	}
	cert, err := tls.X509KeyPair([]byte(chain), []byte(key))
	if err != nil {
		r.Fatal(err)
	}
	l, err := tls.Listen("tcp", net.JoinHostPort(r.real[0].Gateway, "0"), &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		r.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })}
	go srv.Serve(l)
	defer srv.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for i := 1; i <= 3; i++ {
		get := fmt.Sprintf("curl -sS --resolve '*:%s:%s' https://%%s:%[1]s/", port, r.real[0].Gateway)
		if out, err := r.sh(i, fmt.Sprintf(get, "random.arcodange.lab")); err != nil || out != "hello" {
			r.Errorf("pi%d does not trust the leaf: %v", i, err)
		}
		if _, err := r.sh(i, fmt.Sprintf(get, "a.b.arcodange.lab")); err == nil {
			r.Errorf("pi%d trusts it for two levels", i)
		}
	}
}

// week proves that certificates outlive a week without power, at whatever time that begins.
func (r *reality) week() {
	issuer, err := r.config.Issuer(r.Context(), r.machines[2])
	if err != nil {
		r.Fatal(err)
	}
	if issuer.KeyID == "" || issuer.Fingerprint != r.config.Fingerprint {
		r.Errorf("%+v", issuer)
	}
	chain, _, err := r.issue(3, "grafana.arcodange.lab", "--not-after "+issuer.Duration.String())
	if err != nil {
		r.Fatal(err)
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(issuer.Root))
	intermediates.AppendCertsFromPEM([]byte(chain))
	leaf := r.leaf(chain)
	renewal := leaf.NotAfter.Add(-issuer.RenewBefore) // the power goes just before it
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates,
		CurrentTime: renewal.Add(7 * 24 * time.Hour), DNSName: "grafana.arcodange.lab"}); err != nil {
		r.Errorf("a week after the power went it is not valid: %v", err)
	}
	chain, _, err = r.issue(3, "grafana.arcodange.lab", "")
	if err != nil {
		r.Fatal(err)
	}
	if d := r.leaf(chain).NotAfter.Sub(r.leaf(chain).NotBefore); d < 168*time.Hour {
		r.Errorf("a certificate is valid for %s by default", d)
	}
}

// policy asks for what must not be issued.
func (r *reality) policy() {
	for subject, options := range map[string]string{
		"example.org": "", "a.b.arcodange.lab": "", "192.0.2.1": "", "x.arcodange.lab": "--not-after 721h",
		"*.k8s.arcodange.lab": "", "*.lab": "",
	} {
		if _, _, err := r.issue(1, subject, options); err == nil {
			r.Errorf("%s %s was issued", subject, options)
		}
	}
	if _, _, err := r.issue(1, "arcodange.lab", ""); err != nil {
		r.Error(err)
	}
}

// takeover stops the primary, moves the record to a replica, and back.
func (r *reality) takeover() {
	r.exec(1, "systemctl stop step-ca")
	if _, _, err := r.issue(3, "x.arcodange.lab", ""); err == nil {
		r.Error("something issues at the address of the stopped primary")
	}
	r.config.Active = "pi2"
	r.record()
	if _, _, err := r.issue(3, "x.arcodange.lab", ""); err != nil {
		r.Errorf("the replica does not take over: %v", err)
	}
	r.config.Active = ""
	r.apply()
	r.record()
	if _, _, err := r.issue(3, "x.arcodange.lab", ""); err != nil {
		r.Errorf("the primary is not given back: %v", err)
	}
	r.converged()
}

// keyInSink makes another intermediate with what the sink keeps: it is the root key, and it opens.
func (r *reality) keyInSink() {
	values := map[string]string{}
	for _, name := range []string{stepca.RootKey, stepca.RootPassword, stepca.RootCertificate} {
		s, err := r.sink.Get(r.Context(), name)
		if err != nil {
			r.Fatal(err)
		}
		values[name] = s.Reveal()
	}
	r.exec(3, fmt.Sprintf(`w=$(mktemp -d /run/test.XXXXXX); trap 'rm -rf "$w"' EXIT
echo '%s' >"$w/root.crt"; echo '%s' >"$w/root.key"; echo '%s' >"$w/password"
step certificate create Another "$w/crt" "$w/key" --profile intermediate-ca --ca "$w/root.crt" --ca-key "$w/root.key" \
  --ca-password-file "$w/password" --no-password --insecure </dev/null
step certificate verify "$w/crt" --roots %s`, values[stepca.RootCertificate], values[stepca.RootKey],
		values[stepca.RootPassword], root))
}

func (r *reality) reboot() {
	for i, m := range r.real {
		if err := m.Reboot(r.Context()); err != nil {
			r.Fatal(err)
		}
		r.machines[i].Close()
		if err := stepca.Prove(r.Context(), r.machines[i], r.config, r.sink); err != nil {
			r.Error(err)
		}
		r.converged()
	}
}
