package cloudflaretest

import (
	"net/http"
	"slices"
	"time"
)

// widget is a Turnstile widget. No document of Cloudflare's API in this module's tests has it: it is made as the
// reference at developers.cloudflare.com says.
type widget struct {
	Sitekey   string    `json:"sitekey"`
	Name      string    `json:"name"`
	Domains   []string  `json:"domains"`
	Mode      string    `json:"mode"`
	Region    string    `json:"region"`
	Clearance string    `json:"clearance_level"`
	BotFight  bool      `json:"bot_fight_mode"`
	Offlabel  bool      `json:"offlabel"`
	Created   time.Time `json:"created_on"`
	Modified  time.Time `json:"modified_on"`

	secret string
}

// shown is a widget by itself, which has its secret.
func (w *widget) shown() answer {
	return ok(struct {
		*widget
		Secret string `json:"secret"`
	}{w, w.secret})
}

func (s *Server) widgetRoutes(mux *http.ServeMux) {
	const all, one = "/accounts/{a}/challenges/widgets", "/accounts/{a}/challenges/widgets/{sitekey}"
	s.handle(mux, "GET "+all, func(c *call) answer { return page(c, c.state.widgets, 5, 20, 1000) })
	s.handle(mux, "POST "+all, func(c *call) answer {
		w := &widget{Sitekey: "0x4AAAAAAA" + newID()[:14], Region: "world", Clearance: "no_clearance", Created: now(),
			secret: "0x4AAAAAAA" + newID()}
		c.setWidget(w)
		c.state.widgets = append(c.state.widgets, w)
		return w.shown()
	})
	s.handle(mux, "GET "+one, func(c *call) answer { return c.widget().shown() })
	s.handle(mux, "PUT "+one, func(c *call) answer {
		w := c.widget()
		c.setWidget(w)
		return w.shown()
	})
}

func (c *call) widget() *widget {
	for _, w := range c.state.widgets {
		if w.Sitekey == c.req.PathValue("sitekey") {
			return w
		}
	}
	panic(refuse(http.StatusNotFound, 10404, "Widget not found"))
}

// setWidget makes a widget what a request says, all of it.
func (c *call) setWidget(w *widget) {
	in := struct {
		Name      string   `json:"name"`
		Domains   []string `json:"domains"`
		Mode      string   `json:"mode"`
		Clearance string   `json:"clearance_level"`
		BotFight  bool     `json:"bot_fight_mode"`
		Offlabel  bool     `json:"offlabel"`
	}{Clearance: "no_clearance"}
	c.read(&in)
	if in.Name == "" || len(in.Domains) > 10 || !slices.Contains([]string{"managed", "invisible", "non-interactive"}, in.Mode) {
		panic(refuse(http.StatusBadRequest, 10400, "A name, up to 10 domains and a mode are required"))
	}
	w.Name, w.Domains, w.Mode, w.Clearance, w.BotFight, w.Offlabel = in.Name, append([]string{}, in.Domains...), in.Mode,
		in.Clearance, in.BotFight, in.Offlabel
	w.Modified = now()
}
