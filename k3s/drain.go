package k3s

import (
	"context"
	"encoding/json"
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// unhealthy returns the volumes of Longhorn that are attached and not healthy, of what its API answers; none for an
// empty answer.
func unhealthy(text []byte) ([]string, error) {
	return volumes(text, func(state, robustness string) bool {
		// A detached volume has the robustness "unknown" (longhorn-manager, types.VolumeRobustness).
		return state != "detached" && robustness != "healthy" || robustness == "faulted"
	})
}

// attached returns the volumes of Longhorn that are not detached.
func attached(text []byte) ([]string, error) {
	return volumes(text, func(state, _ string) bool { return state != "detached" })
}

// volumes returns the volumes for which is holds, each with its robustness.
func volumes(text []byte, is func(state, robustness string) bool) (names []string, err error) {
	if len(text) == 0 {
		return nil, nil
	}
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Status   struct{ State, Robustness string }
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	for _, v := range list.Items {
		if is(v.Status.State, v.Status.Robustness) {
			names = append(names, fmt.Sprintf("%s (%s)", v.Metadata.Name, v.Status.Robustness))
		}
	}
	return names, nil
}

// drain returns the step that moves the pods off a node before it is upgraded. One that somebody else has cordoned is
// not marked as ours.
func (k control) drain(name string, cordoned bool, after ...string) lab.Step {
	id, mark := "k3s/drain/"+name, drainedFor+"="+k.c.Version
	if cordoned {
		mark = ""
	}
	return lab.Step{Name: id, After: after, Changes: []lab.Change{{ID: id, Action: lab.Run, Risk: lab.RiskDisrupt,
		Cause: "it is upgraded to " + k.c.Version + ": its pods move to other nodes"}},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start(id)
			err := k.alone(ctx, r, name)
			if err == nil {
				err = k.volumes(ctx, r, name)
			}
			if err == nil {
				_, err = run(ctx, k.machine, "drain "+name, shell("drain", "node", name, "mark", mark,
					"timeout", fmt.Sprintf("%ds", int(k.c.timeout().Seconds()))))
			}
			r.Done(id, err)
			return err
		}}
}

// uncordon returns the step that lets pods onto the node again.
func (k control) uncordon(name, cause string, after ...string) lab.Step {
	id := "k3s/uncordon/" + name
	return lab.Step{Name: id, After: after, Changes: []lab.Change{{ID: id, Action: lab.Run, Cause: cause}},
		Run: func(ctx context.Context, r *lab.Recorder) error {
			r.Start(id)
			err := k.ready(ctx, r, name)
			if err == nil {
				_, err = run(ctx, k.machine, "uncordon "+name, shell("uncordon", "node", name, "mark", drainedFor+"-"))
			}
			r.Done(id, err)
			return err
		}}
}
