package host

import (
	"gitea.arcodange.lab/arcodange-org/lab"
)

// Reboot reboots the machine, after all other changes, if a package has asked for it
// (/run/reboot-required). A machine is rebooted at most once in a run.
type Reboot struct {
	Order `yaml:",inline"`
}

// ID returns "reboot:required".
func (Reboot) ID() string { return "reboot:required" }

// Validate implements [Resource].
func (Reboot) Validate() lab.Problems { return nil }

// Relations implements [Related].
func (Reboot) Relations() Relations { return Relations{Last: true} }

// Observe implements [Resource]; the facts are sufficient.
func (Reboot) Observe(*Query) {}

// Plan implements [Resource].
func (Reboot) Plan(o *Observation) ([]Op, error) {
	if !o.Facts.RebootRequired {
		return nil, nil
	}
	return []Op{{Action: lab.Run, Cause: "a package asked for it", Risk: lab.RiskDisrupt, Reboot: true}}, nil
}
