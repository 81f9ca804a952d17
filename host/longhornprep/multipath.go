package longhornprep

import (
	"fmt"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// multipath is a kind of resource: a multipathd that nothing needs, or that leaves the disks of volumes
// alone as it runs.
type multipath struct {
	mask  bool   // it is going to be stopped and masked
	after string // ID of the configuration; empty if it is masked
}

const multipathd = "multipathd.service"

func (multipath) ID() string { return "multipath:" + multipathd }

func (multipath) Validate() lab.Problems { return nil }

// ComesAfter implements [host.Ordered].
func (m multipath) ComesAfter() []string {
	if m.after == "" {
		return nil
	}
	return []string{m.after}
}

func (m multipath) Observe(q *host.Query) {
	q.Unit(multipathd)
	q.Probe(m.ID(), "for f in /sys/block/dm-*/dm/uuid; do if [ -e \"$f\" ]; then echo \"map $(cat \"$f\")\"; fi; done\n"+
		"if multipathd show blacklist 2>/dev/null | grep -q -F -e '"+devnode+"'; then echo listed; fi")
}

func (m multipath) Plan(o *host.Observation) ([]host.Op, error) {
	out := string(o.Probe(m.ID()).Output)
	st := o.Unit(multipathd)
	listed := strings.Contains("\n"+out, "\nlisted\n")
	if m.mask && st.Load == "masked" || !m.mask && listed {
		return nil, nil
	}
	for line := range strings.Lines(out) {
		if uuid, ok := strings.CutPrefix(strings.TrimSpace(line), "map mpath-"); ok {
			return nil, &lab.Error{Op: "configure multipathd", Hint: "see multipath -ll; move the data to a disk without multipath",
				Err: fmt.Errorf("%w: a multipath device is in use: %s", lab.ErrConflict, lab.Printable(uuid))}
		}
	}
	if m.mask || st.Active != "active" {
		return nil, nil
	}
	return []host.Op{{Action: lab.Run, Cause: "runs without the blacklist", Risk: lab.RiskRestart,
		Script: "multipathd reconfigure"}}, nil
}
