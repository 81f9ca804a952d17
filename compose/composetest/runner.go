package composetest

import (
	"encoding/json"
	"errors"
	"fmt"
)

// startRunner registers, unless it is registered, and tells the server its labels.
func startRunner(c *Container) error {
	var config struct {
		Runner struct {
			File   string   `json:"file"`
			Labels []string `json:"labels"`
		} `json:"runner"`
	}
	b, err := c.File(c.Env["CONFIG_FILE"])
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &config); err != nil || config.Runner.File == "" {
		return fmt.Errorf("composetest: the runner's configuration: %w, file %q", err, config.Runner.File)
	}
	type registration struct {
		ID      int      `json:"id"`
		UUID    string   `json:"uuid"`
		Name    string   `json:"name"`
		Token   string   `json:"token"`
		Address string   `json:"address"`
		Labels  []string `json:"labels"`
	}
	var r registration
	if b, err := c.File(config.Runner.File); err != nil || len(b) == 0 {
		if _, err := c.File(c.Env["GITEA_RUNNER_REGISTRATION_TOKEN_FILE"]); err != nil {
			return err
		}
		c.docker.serial++
		id := c.docker.serial
		c.docker.runners[id] = true
		r = registration{ID: id, UUID: fmt.Sprintf("runner-%d", id), Name: c.Env["GITEA_RUNNER_NAME"],
			Token: fmt.Sprintf("hidden-%d", id), Address: c.Env["GITEA_INSTANCE_URL"]}
	} else if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	if !c.docker.runners[r.ID] {
		return errors.New(`level=error msg="fail to invoke Declare" error="unauthenticated: unregistered runner"`)
	}
	r.Labels = config.Runner.Labels
	if b, err = json.MarshalIndent(r, "", "  "); err != nil {
		return err
	}
	return c.WriteFile(config.Runner.File, append(b, '\n'))
}
