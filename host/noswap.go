package host

import (
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// NoSwap turns swap off, now and at boot: active areas, lines in fstab, and the services with which
// Raspberry Pi OS sets up swap.
type NoSwap struct {
	Order `yaml:",inline"`
}

// ID returns "swap:none".
func (NoSwap) ID() string { return "swap:none" }

// Validate implements [Resource].
func (NoSwap) Validate() lab.Problems { return nil }

// Claims implements [Claimer].
func (NoSwap) Claims() []Claim { return []Claim{{Path: fstab, Part: true}} }

// Provides implements [Provider].
func (NoSwap) Provides() []string { return []string{"path:" + fstab} }

// Needs implements [Needer].
func (NoSwap) Needs() []string { return []string{"path:" + fstab} }

// swapUnits set up swap at boot: dphys-swapfile until bookworm, rpi-swap and zram since trixie.
var swapUnits = []string{"dphys-swapfile.service", "systemd-zram-setup@zram0.service"}

// Observe implements [Resource].
func (NoSwap) Observe(q *Query) {
	q.Content(fstab)
	q.Mounts()
	for _, u := range swapUnits {
		q.Unit(u)
	}
}

// Plan implements [Resource].
func (NoSwap) Plan(o *Observation) ([]Op, error) {
	var ops []Op
	for _, u := range swapUnits {
		st := o.Unit(u)
		if st.Load == "loaded" && (st.File == "enabled" || st.File == "generated" || st.Active == "active") {
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
