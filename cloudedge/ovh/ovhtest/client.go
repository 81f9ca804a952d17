package ovhtest

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

const tokenPath = "/auth/oauth2/token"

// oauth is an OAuth2 client.
type oauth struct {
	ID           string   `json:"clientId"`
	Name         string   `json:"name"`
	Description  string   `json:"description"`
	Flow         string   `json:"flow"`
	CallbackURLs []string `json:"callbackUrls"`
	Identity     string   `json:"identity"`
	CreatedAt    string   `json:"createdAt"`
	secret       string
	hidden       int
}

func (s *Server) clientByID(id string) *oauth {
	for _, c := range s.clients {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// AddClient creates a client of somebody else, and returns its ID and secret. Flow is CLIENT_CREDENTIALS or
// AUTHORIZATION_CODE.
func (s *Server) AddClient(name, description, flow string) (id string, secret lab.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.addClient(name, description, flow)
	return c.ID, lab.NewSecret(c.secret)
}

func (s *Server) addClient(name, description, flow string) *oauth {
	c := &oauth{ID: strings.ToLower(rand.Text()[:16]), Name: name, Description: description, Flow: flow, CallbackURLs: []string{},
		CreatedAt: time.Now().UTC().Format(time.RFC3339), secret: rand.Text(), hidden: s.config.Lag}
	c.Identity = "urn:v1:eu:identity:credential:" + Nic + "/oauth2-" + c.ID
	s.clients = append(s.clients, c)
	return c
}

// Clients returns the names of the clients, each with its ID and description: "cms ID managed-by=lab...".
func (s *Server) Clients() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clients {
		all = append(all, c.Name+" "+c.ID+" "+c.Description)
	}
	return all
}

// ChangeClients lets f change the name, the description and the flow of each client, as people do in OVH's pages.
func (s *Server) ChangeClients(f func(name, description, flow *string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clients {
		f(&c.Name, &c.Description, &c.Flow)
	}
}

func (s *Server) loginRoutes(mux *http.ServeMux) {
	s.handle(mux, "GET /v1/auth/time", "", func(c *call) answer { return ok(c.now().Unix()) })
	s.handle(mux, "POST "+tokenPath, "", func(c *call) answer {
		id, secret, _ := c.req.BasicAuth()
		if client := c.clientByID(id); client == nil || client.secret != secret {
			return answer{status: http.StatusUnauthorized, body: map[string]string{"error": "invalid_client"}}
		}
		if b := string(c.body); !strings.Contains(b, "grant_type=client_credentials") || !strings.Contains(b, "scope=all") {
			return answer{status: http.StatusBadRequest, body: map[string]string{"error": "invalid_request"}}
		}
		token := rand.Text()
		c.tokens[token] = id
		return ok(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": "all"})
	})
}

func (s *Server) clientRoutes(mux *http.ServeMux) {
	const root, action = "/v1/me/api/oauth2/client", "account:apiovh:me/api/oauth2/client/"
	one := func(handler func(*call, *oauth) answer) func(*call) answer {
		return func(c *call) answer {
			if client := c.clientByID(c.req.PathValue("id")); client != nil {
				return handler(c, client)
			}
			return c.notFound("The requested object (clientId = %s) does not exist", c.req.PathValue("id"))
		}
	}
	s.handle(mux, "GET "+root, action+"get", func(c *call) answer {
		ids := []string{}
		for _, client := range c.clients {
			if client.hidden > 0 {
				client.hidden--
				continue
			}
			ids = append(ids, client.ID)
		}
		return ok(ids)
	})
	s.handle(mux, "POST "+root, action+"create", func(c *call) answer {
		var in struct {
			Name, Description, Flow string
			CallbackURLs            []string `json:"callbackUrls"`
		}
		c.read(&in)
		if in.Name == "" || in.Description == "" || in.Flow != "CLIENT_CREDENTIALS" && in.Flow != "AUTHORIZATION_CODE" {
			return c.refuse(http.StatusBadRequest, "BadRequest", "Missing or wrong parameter")
		}
		client := c.addClient(in.Name, in.Description, in.Flow)
		return ok(map[string]string{"clientId": client.ID, "clientSecret": client.secret})
	})
	s.handle(mux, "GET "+root+"/{id}", action+"get", one(func(_ *call, client *oauth) answer { return ok(client) }))
	s.handle(mux, "PUT "+root+"/{id}", action+"edit", one(func(c *call, client *oauth) answer {
		var in struct {
			Name, Description string
			CallbackURLs      []string `json:"callbackUrls"`
		}
		c.read(&in)
		client.Name, client.Description, client.CallbackURLs = in.Name, in.Description, in.CallbackURLs
		return ok(nil)
	}))
	s.handle(mux, "DELETE "+root+"/{id}", action+"delete", one(func(c *call, client *oauth) answer {
		c.clients = slices.DeleteFunc(c.clients, func(o *oauth) bool { return o == client })
		return ok(nil)
	}))
}
