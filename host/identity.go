package host

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Hostname is the machine's name: in /etc/hostname, in the kernel, and as a line of /etc/hosts for 127.0.1.1, as Debian has it.
//
// The name of a machine that is a node of a k3s cluster is not changed: the node would join a second time, under the new name, and its old
// password would be refused.
type Hostname struct {
	Order `yaml:",inline"`

	Name   string `yaml:"name,required"` // one label: letters, digits and hyphens
	Domain string `yaml:"domain"`        // /etc/hosts gets the full name too; empty means none
}

// ID returns "hostname:NAME".
func (h Hostname) ID() string { return "hostname:" + h.Name }

var (
	labelPattern  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`) // RFC 1123, lowercase
	domainPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
)

// Validate implements [Resource].
func (h Hostname) Validate() (ps lab.Problems) {
	if !labelPattern.MatchString(h.Name) {
		ps = append(ps, lab.Problem{Path: "name", Text: h.Name, Message: "is not a host name: 1 to 63 letters a-z, digits and hyphens"})
	}
	if h.Domain != "" && (!domainPattern.MatchString(h.Domain) || len(h.Domain) > 200) {
		ps = append(ps, lab.Problem{Path: "domain", Text: h.Domain, Message: "is not a domain"})
	}
	return ps
}

func (h Hostname) provides() []string {
	return []string{"path:/etc/hosts", "path:/etc/hostname", hostnameToken}
}

// hostnameToken is what templates need, which may hold the machine's name.
const hostnameToken = "hostname"

func (h Hostname) needs() []string { return []string{"path:/etc/hosts", "path:/etc/hostname"} }

// k3sData is there when the machine is, or was, a node of a k3s cluster.
const k3sData = "/var/lib/rancher/k3s"

// Observe implements [Resource].
func (h Hostname) Observe(q *Query) {
	q.Content("/etc/hostname")
	q.Content("/etc/hosts")
	q.Path(k3sData)
}

// Plan implements [Resource].
func (h Hostname) Plan(o *Observation) ([]Op, error) {
	have, _ := o.Content("/etc/hostname")
	name := strings.TrimSpace(string(have))
	if (name != h.Name || o.Facts.Hostname != h.Name) && o.Stat(k3sData).Type == DirFile {
		return nil, &lab.Error{Op: "change hostname", Hint: "take the node out of the cluster and uninstall k3s first",
			Err: fmt.Errorf("%w: the machine is the node %q of a k3s cluster", lab.ErrRefused, name)}
	}
	var ops []Op
	if name != h.Name {
		f := File{Path: "/etc/hostname", Content: h.Name + "\n"}
		p := &Payload{Temp: tempFor(f.Path), Size: int64(len(f.Content)), Content: []byte(f.Content), Replaces: f.Path}
		ops = append(ops, Op{Action: lab.Update, Cause: fmt.Sprintf("is %q", name), Diff: lab.Diff(f.Path, have, p.Content), Payload: p, Script: put(p.Temp, f.Path, 0o644, "root", "root", f.sum(nil), "")})
	}
	if o.Facts.Hostname != h.Name {
		ops = append(ops, Op{Name: "now", Action: lab.Update, Cause: fmt.Sprintf("the kernel's is %q", o.Facts.Hostname), Script: "hostname -- " + ssh.Quote(h.Name)})
		o.Facts.Hostname = h.Name
	}
	names := h.Name
	if h.Domain != "" {
		names = h.Name + "." + h.Domain + " " + h.Name
	}
	hosts, err := Line{Path: "/etc/hosts", Line: "127.0.1.1 " + names, Match: `^127\.0\.1\.1\s`, Create: true}.Plan(o)
	if err != nil {
		return nil, err
	}
	for _, op := range hosts {
		op.Name = "hosts"
		ops = append(ops, op)
	}
	return ops, nil
}

// Timezone is the machine's time zone: the link /etc/localtime and the file /etc/timezone.
type Timezone struct {
	Order `yaml:",inline"`

	Name string `yaml:"name,required"` // of the tz database: "Europe/Paris"
}

// ID returns "timezone:NAME".
func (t Timezone) ID() string { return "timezone:" + t.Name }

// Validate implements [Resource].
func (t Timezone) Validate() (ps lab.Problems) {
	if !regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`).MatchString(t.Name) {
		ps = append(ps, lab.Problem{Path: "name", Text: t.Name, Message: "is not a time zone", Hint: `"Europe/Paris"`})
	}
	return ps
}

// Resources implements [Set].
func (t Timezone) Resources() []Resource {
	return []Resource{
		zone{t.Name},
		Link{Path: "/etc/localtime", Target: zone{t.Name}.file(), Replace: true},
		File{Path: "/etc/timezone", Content: t.Name + "\n"},
	}
}

// Observe implements [Resource]: its parts ask.
func (Timezone) Observe(*Query) {}

// Plan implements [Resource]: its parts plan.
func (Timezone) Plan(*Observation) ([]Op, error) { return nil, nil }

// zone is the description of a time zone, which must be there: a link to nothing would mean UTC, without a word.
type zone struct{ name string }

func (z zone) ID() string { return "zone:" + z.name }

func (zone) Validate() lab.Problems { return nil }

func (z zone) file() string { return "/usr/share/zoneinfo/" + z.name }

func (zone) needs() []string { return []string{"package:tzdata"} }

func (z zone) Observe(q *Query) { q.Path(z.file()) }

func (z zone) Plan(o *Observation) ([]Op, error) {
	if o.Stat(z.file()).Type == RegularFile || o.Stat(z.file()).Type == LinkFile || o.pending["package:tzdata"] {
		return nil, nil
	}
	return nil, &lab.Error{Op: "set time zone", Hint: "on the machine: timedatectl list-timezones; or install the package tzdata, tzdata-legacy for old names",
		Err: fmt.Errorf("%w: the machine does not know the time zone %s", lab.ErrNotFound, z.name)}
}

// CACertificate is a certificate authority that the machine trusts: a file in /usr/local/share/ca-certificates, taken up by
// update-ca-certificates(8). Services that run keep the set that they have read.
type CACertificate struct {
	Order `yaml:",inline"`

	Name   string `yaml:"name,required"` // of the file, without ".crt"
	PEM    string `yaml:"pem"`           // one certificate
	Absent bool   `yaml:"absent"`
}

// ID returns "cacertificate:NAME".
func (c CACertificate) ID() string { return "cacertificate:" + c.Name }

// Validate implements [Resource].
func (c CACertificate) Validate() (ps lab.Problems) {
	if !fileNamePattern.MatchString(c.Name) || len(c.Name) > 200 {
		ps = append(ps, lab.Problem{Path: "name", Text: c.Name, Message: "is not a name for a file: letters, digits, - _ and ."})
	}
	if c.Absent {
		return ps
	}
	if err := checkCertificate(c.PEM); err != nil {
		ps = append(ps, lab.Problem{Path: "pem", Message: err.Error()})
	}
	return ps
}

func (c CACertificate) file() string { return "/usr/local/share/ca-certificates/" + c.Name + ".crt" }

// Resources implements [Set].
func (c CACertificate) Resources() []Resource {
	f := File{Path: c.file(), Content: c.PEM, Absent: c.Absent}
	return []Resource{f, trustedCertificate{c}}
}

// Observe implements [Resource]: its parts ask.
func (CACertificate) Observe(*Query) {}

// Plan implements [Resource]: its parts plan.
func (CACertificate) Plan(*Observation) ([]Op, error) { return nil, nil }

// trustedCertificate is the certificate as update-ca-certificates has taken it up: a link in /etc/ssl/certs, and a copy in the bundle, which
// is younger than the file when it holds it.
type trustedCertificate struct{ c CACertificate }

func (t trustedCertificate) ID() string { return t.c.ID() + "/trusted" }

func (trustedCertificate) Validate() lab.Problems { return nil }

const caBundle = "/etc/ssl/certs/ca-certificates.crt"

func (t trustedCertificate) link() string { return "/etc/ssl/certs/" + t.c.Name + ".pem" }

func (t trustedCertificate) needs() []string {
	return []string{"path:" + t.c.file(), "package:ca-certificates"}
}

func (t trustedCertificate) Observe(q *Query) {
	q.Path(t.link())
	q.Path(caBundle)
	q.Path(t.c.file())
}

func (t trustedCertificate) Plan(o *Observation) ([]Op, error) {
	link, bundle, file := o.Stat(t.link()), o.Stat(caBundle), o.Stat(t.c.file())
	cause := ""
	switch {
	case o.pending["file:"+t.c.file()]:
		cause = "notified by file:" + t.c.file()
	case t.c.Absent && link.Type != NoFile:
		cause = "is still trusted"
	case !t.c.Absent && link.Type == NoFile:
		cause = "not trusted yet"
	case !t.c.Absent && bundle.Changed.Before(file.Modified):
		cause = "the bundle is older than the certificate"
	default:
		return nil, nil
	}
	return []Op{{Action: lab.Run, Cause: cause, Script: "update-ca-certificates\ntouch -- " + caBundle}}, nil
}

// NoSwap turns swap off, now and at boot: areas in use, lines in fstab, and the services with which Raspberry Pi OS makes swap.
type NoSwap struct {
	Order `yaml:",inline"`
}

// ID returns "swap:none".
func (NoSwap) ID() string { return "swap:none" }

// Validate implements [Resource].
func (NoSwap) Validate() lab.Problems { return nil }

func (NoSwap) provides() []string { return []string{"path:/etc/fstab"} }

func (NoSwap) needs() []string { return []string{"path:/etc/fstab"} }

// swapUnits make swap at boot: dphys-swapfile to bookworm, rpi-swap and zram since trixie.
var swapUnits = []string{"dphys-swapfile.service", "systemd-zram-setup@zram0.service"}

// Observe implements [Resource].
func (NoSwap) Observe(q *Query) {
	q.Content("/etc/fstab")
	q.Mounts()
	for _, u := range swapUnits {
		q.Unit(u)
	}
}

// Plan implements [Resource].
func (NoSwap) Plan(o *Observation) ([]Op, error) {
	var ops []Op
	for _, u := range swapUnits {
		if st := o.Unit(u); st.Load == "loaded" && (st.File == "enabled" || st.File == "generated" || st.Active == "active") {
			ops = append(ops, Op{Name: u, Action: lab.Update, Cause: "makes swap at boot", Script: "systemctl mask --now -- " + ssh.Quote(u)})
		}
	}
	edits, err := edit{path: "/etc/fstab", create: true}.plan(o, func(lines []string) []string {
		return slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
			f := strings.Fields(l)
			return len(f) > 2 && !strings.HasPrefix(f[0], "#") && f[2] == "swap"
		})
	})
	if err != nil {
		return nil, err
	}
	for _, op := range edits {
		op.Name, op.Script = "fstab", op.Script+"\nsystemctl daemon-reload"
		ops = append(ops, op)
	}
	if len(o.Swaps()) > 0 {
		ops = append(ops, Op{Name: "now", Action: lab.Run, Cause: strings.Join(o.Swaps(), ", ") + " in use", Script: "swapoff -a"})
	}
	return ops, nil
}
