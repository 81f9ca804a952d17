package host

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// NoSwap turns swap off, now and at boot: active areas, lines in fstab, swap units that are made
// otherwise, as for zram and for swap partitions that systemd finds by itself, and the services that set
// up swap.
type NoSwap struct {
	Order `yaml:",inline"`
}

// ID returns "swap:none".
func (NoSwap) ID() string { return "swap:none" }

// Validate implements [Resource].
func (NoSwap) Validate() lab.Problems { return nil }

// Relations implements [Related].
func (NoSwap) Relations() Relations {
	return Relations{
		Provides: []string{"path:" + fstab},
		Needs:    []string{"path:" + fstab},
		Claims:   []Claim{{Path: fstab, Part: true}},
	}
}

// swapServices set up swap at boot: in Raspberry Pi OS dphys-swapfile until bookworm, rpi-swap and zram
// since trixie; and those of the Debian package zram-tools and the Ubuntu package zram-config.
var swapServices = []string{
	"dphys-swapfile.service", "systemd-zram-setup@zram0.service", "zramswap.service", "zram-config.service",
}

// Observe implements [Resource].
func (NoSwap) Observe(q *Query) {
	q.Content(fstab)
	q.Mounts()
	for _, u := range swapServices {
		q.Unit(u)
	}
	q.Probe(NoSwap{}.ID(), shell("swap-units"))
}

// swapUnit is a unit of type swap that is activated at boot.
type swapUnit struct{ name, file string }

// disable returns the command with which it is not activated any more. A unit file in /etc/systemd/system
// cannot be masked, since that is where the mask would be.
func (u swapUnit) disable() string {
	verb := "mask"
	if strings.HasPrefix(u.file, "/etc/systemd/system/") {
		verb = "disable"
	}
	return "systemctl " + verb + " --now -- " + ssh.Quote(u.name)
}

// swapUnits parses the output of sh/swap-units.sh. Units of fstab are left out: its lines are removed.
func swapUnits(text string) (units []swapUnit) {
	for block := range strings.SplitSeq(text, "\n\n") {
		v := map[string]string{}
		for line := range strings.Lines(block) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			v[key] = value
		}
		started := v["WantedBy"] != "" || v["RequiredBy"] != "" || v["UnitFileState"] == "enabled"
		if started && v["LoadState"] == "loaded" && v["FragmentPath"] != "" && v["SourcePath"] != fstab {
			units = append(units, swapUnit{v["Id"], v["FragmentPath"]})
		}
	}
	return units
}

// Plan implements [Resource].
func (NoSwap) Plan(o *Observation) ([]Op, error) {
	var ops []Op
	for _, u := range swapUnits(string(o.Probe(NoSwap{}.ID()).Output)) {
		ops = append(ops, Op{Name: u.name, Action: lab.Update, Cause: "is activated at boot", Script: u.disable()})
	}
	for _, u := range swapServices {
		st := o.Unit(u)
		atBoot := st.File == "enabled" || st.File == "generated" && st.boot != "off"
		if st.Load == "loaded" && (atBoot || st.Active == "active") {
			ops = append(ops, Op{Name: u, Action: lab.Update, Cause: "sets up swap at boot",
				Script: "systemctl mask --now -- " + ssh.Quote(u)})
		}
	}
	edits, err := edit{path: fstab, create: true}.plan(o, func(lines []string) []string {
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
		ops = append(ops, Op{Name: "now", Action: lab.Run, Cause: strings.Join(o.Swaps(), ", ") + " in use",
			Script: "swapoff -a"})
	}
	return ops, nil
}
