package composetest

// Reset clears all faults: what was asked for by Unhealthy, Fail, Exit, Crash, Say, FailPull,
// FailStart, Stop, StopAfter and PowerCutAtChange. Containers that have ended stay as they are.
func (d *Docker) Reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.unhealthy)
	clear(d.fails)
	clear(d.exits)
	clear(d.crashes)
	clear(d.says)
	clear(d.badPulls)
	clear(d.upFails)
	d.powerCuts.Reset()
	d.stopped, d.answers = false, 0
}

// Unhealthy makes what is run from an image, or of a service, never healthy; with false healthy again.
func (d *Docker) Unhealthy(imageOrService string, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unhealthy[imageOrService] = on
}

// Fail makes the health check of a service's containers fail when the function says so, which is
// called whenever the health is asked for; nil lets it succeed.
func (d *Docker) Fail(service string, when func(*Container) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails[service] = when
}

// Exit makes containers of a service end with the status when they are started; below 0 they run.
// Those whose restart policy starts them again are in a restart loop: they end once whenever they
// are looked at.
func (d *Docker) Exit(service string, status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.exits[service] = status
}

// Crash makes containers of a service end with status 1 when they were looked at more often than
// looks since they started; 0 lets them run. Those whose restart policy starts them again do so, in
// a restart loop.
func (d *Docker) Crash(service string, looks int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashes[service] = looks
}

// Say makes containers of a service print the lines whenever they start.
func (d *Docker) Say(service string, lines ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.says[service] = lines
}

// FailPull makes pulls of the image fail, or not.
func (d *Docker) FailPull(image string, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.badPulls[image] = on
}

// FailStart makes starting containers of a service fail with a message; "" lets them start.
func (d *Docker) FailStart(service, message string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.upFails[service] = message
}

// ForgetRunners makes the Gitea that runners are registered at forget them, as when somebody
// removes them there. Those that run say so in their log.
func (d *Docker) ForgetRunners() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.runners)
	for _, c := range d.containers {
		if r := c.Image.repository(); c.Status == "running" && (r == "gitea/runner" || r == "gitea/act_runner") {
			c.Log(`level=error msg="failed to fetch task" error="unauthenticated: unregistered runner"`)
		}
	}
}

// Restart ends and starts the containers of a service, as docker restart does.
func (d *Docker) Restart(service string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.containers {
		if c.Service() == service {
			if err := d.start(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stop makes the engine not answer, or answer again.
func (d *Docker) Stop(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped, d.answers = on, 0
}

// StopAfter makes the engine answer n more commands, 1 at least, and then not any more, as when it
// dies while it is asked.
func (d *Docker) StopAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers = n
}

// Kill ends a container of a service with the status, as when its process dies.
func (d *Docker) Kill(service string, status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.containers {
		if c.Service() == service && c.Status == "running" {
			c.Status, c.Exit = "exited", status
		}
	}
}
