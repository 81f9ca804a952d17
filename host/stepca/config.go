package stepca

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// Config is the certificate authority of a lab, the same for all machines that it is on. Domain and
// Primary must be set.
type Config struct {
	// Domain is that of the names that get certificates: "arcodange.lab". The CA's own is ca.DOMAIN.
	Domain string `yaml:"domain,required"`

	Title string `yaml:"title"` // of the root and the intermediate certificate; empty means Domain

	// Primary is the machine that makes the authority and whose ca.json and keys the others copy.
	// To make another one the primary, which has a copy, name it here.
	Primary string `yaml:"primary,required"`

	// Active is the machine that ca.DOMAIN points to, see [Config.ActiveMachine]. Empty means Primary.
	Active string `yaml:"active"`

	// Fingerprint is the SHA-256 of the root certificate, 64 hex digits, as "step certificate
	// fingerprint" prints it. When it is set, a root is never made, and no other one is accepted.
	// Empty means that of the root that the sink keeps.
	Fingerprint string `yaml:"fingerprint"`

	Port  int      `yaml:"port"`  // 0 means 9000
	Names []string `yaml:"names"` // more names and IP addresses that the CA is reached by; empty means none

	// Allow is more that certificates are for: "x.example.org", or "*.k8s.arcodange.lab" for what is
	// one level below. Empty means nothing more than DOMAIN and *.DOMAIN.
	Allow []string `yaml:"allow"`

	Wildcards bool `yaml:"wildcards"` // wildcard certificates are allowed too: *.DOMAIN

	// Duration is how long a certificate is valid whose request does not say it; 0 means 168h.
	Duration time.Duration `yaml:"duration"`

	// MaxDuration is the longest that can be asked for; 0 means 720h. At least 504h: what is renewed
	// after two thirds of that still outlives a week without power.
	MaxDuration time.Duration `yaml:"maxDuration"`

	ACME        string `yaml:"acme"`        // the name of the ACME provisioner; empty means "acme"
	Provisioner string `yaml:"provisioner"` // the name of the JWK provisioner; empty means "cert-manager"

	Step   Program `yaml:"step"`   // the client, step
	StepCA Program `yaml:"stepCA"` // the server, step-ca

	// Registries are registries of images with a certificate of this CA, as HOST or HOST:PORT, which
	// Docker on the machines then trusts. Empty means none.
	Registries []string `yaml:"registries"`
}

// The bounds of a certificate's validity.
const (
	week          = 7 * 24 * time.Hour
	leastDuration = 5 * time.Minute // that step-ca issues, unless it is told otherwise
)

var (
	dnsName       = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)
	fingerprintRE = regexp.MustCompile(`^[0-9a-f]{64}$`)
	provisionerRE = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9@._-]*$`)
)

// Validate returns everything that is wrong with the Config. Paths name its fields.
func (c Config) Validate() (ps lab.Problems) {
	bad := func(path, text, message, hint string) {
		ps = append(ps, lab.Problem{Path: path, Text: text, Message: message, Hint: hint})
	}
	if !dnsName.MatchString(c.Domain) {
		bad("domain", c.Domain, "is not the name of a domain", `such as "arcodange.lab"`)
	}
	if strings.ContainsAny(c.Title, "\n\x00") {
		bad("title", "", "contains a newline", "")
	}
	for path, name := range map[string]string{"primary": c.Primary, "active": c.ActiveMachine()} {
		if !dnsName.MatchString(name) {
			bad(path, name, "is not the name of a machine", `such as "pi1"`)
		}
	}
	if c.Fingerprint != "" && !fingerprintRE.MatchString(c.Fingerprint) {
		bad("fingerprint", c.Fingerprint, "is not 64 lower-case hex digits",
			"step certificate fingerprint /etc/step-ca/certs/root_ca.crt")
	}
	if c.Port < 0 || c.Port > 65535 {
		bad("port", fmt.Sprint(c.Port), "is not a port", "1 to 65535")
	}
	for i, n := range c.Names {
		if _, err := netip.ParseAddr(n); err != nil && !dnsName.MatchString(n) {
			bad(fmt.Sprintf("names[%d]", i), n, "is neither a name nor an IP address", "")
		}
	}
	for i, n := range c.Allow {
		if !dnsName.MatchString(strings.TrimPrefix(n, "*.")) {
			bad(fmt.Sprintf("allow[%d]", i), n, "is not a name, nor one after \"*.\"", "step-ca lets * stand for one level")
		}
	}
	if d := c.duration(); d < leastDuration || d > c.maxDuration() {
		bad("duration", d.String(), "is not between 5m and maxDuration", "")
	}
	if d := c.maxDuration(); d < 3*week {
		bad("maxDuration", d.String(), "is less than 504h: certificates would not outlive a week without power", "")
	}
	for path, name := range map[string]string{"acme": c.acme(), "provisioner": c.provisioner()} {
		if !provisionerRE.MatchString(name) {
			bad(path, name, "is not the name of a provisioner", "letters, digits and - _ . @")
		}
	}
	if c.acme() == c.provisioner() {
		bad("acme", c.acme(), "is the same as provisioner", "")
	}
	for i, r := range c.Registries {
		name, port, found := strings.Cut(r, ":")
		if n, err := strconv.Atoi(port); !dnsName.MatchString(name) || found && (err != nil || n < 1 || n > 65535) {
			bad(fmt.Sprintf("registries[%d]", i), r, "is not a host, nor HOST:PORT", "")
		}
	}
	ps = append(ps, c.Step.problems("step")...)
	ps = append(ps, c.StepCA.problems("stepCA")...)
	slices.SortStableFunc(ps, func(a, b lab.Problem) int { return strings.Compare(a.Path, b.Path) })
	return ps
}

// Host returns the CA's own name, ca.DOMAIN.
func (c Config) Host() string { return "ca." + c.Domain }

// URL returns the address of the CA: "https://ca.arcodange.lab:9000".
func (c Config) URL() string { return fmt.Sprintf("https://%s:%d", c.Host(), c.port()) }

// ActiveMachine returns the machine whose address the one DNS record of [Config.Host] must have.
func (c Config) ActiveMachine() string { return cmp.Or(c.Active, c.Primary) }

func (c Config) title() string              { return cmp.Or(c.Title, c.Domain) }
func (c Config) port() int                  { return cmp.Or(c.Port, 9000) }
func (c Config) acme() string               { return cmp.Or(c.ACME, "acme") }
func (c Config) provisioner() string        { return cmp.Or(c.Provisioner, "cert-manager") }
func (c Config) duration() time.Duration    { return cmp.Or(c.Duration, week) }
func (c Config) maxDuration() time.Duration { return cmp.Or(c.MaxDuration, 720*time.Hour) }

// names returns what the CA is reached by: its name, its machines, and localhost, by which each
// machine proves its own instance.
func (c Config) names(machines []string) []string {
	names := []string{c.Host()}
	for _, m := range machines {
		names = append(names, m+"."+c.Domain)
	}
	return append(append(names, "localhost"), c.Names...)
}
