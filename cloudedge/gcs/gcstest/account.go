package gcstest

import (
	"net/http"
	"slices"
	"strings"
)

// account is a service account.
type account struct {
	Name        string `json:"name"`
	Project     string `json:"projectId"`
	UniqueID    string `json:"uniqueId"`
	Email       string `json:"email"`
	DisplayName string `json:"displayName,omitempty"`
	Description string `json:"description,omitempty"`
	Etag        string `json:"etag"`
	Disabled    bool   `json:"disabled,omitempty"`

	unlisted, ungranted int // requests that do not know it yet
}

// unknown reports whether IAM does not know the account yet, and comes nearer to knowing it.
func (a *account) unknown() bool {
	a.ungranted--
	return a.ungranted >= 0
}

func (s *Server) account(email string) *account {
	for _, a := range s.accounts {
		if a.Email == email {
			return a
		}
	}
	return nil
}

// Email is that of a service account of the project.
func Email(name string) string { return name + "@" + ProjectID + ".iam.gserviceaccount.com" }

// AddAccount creates a service account of somebody else.
func (s *Server) AddAccount(name, description string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addAccount(name, "", description)
}

func (s *Server) addAccount(name, display, description string) *account {
	a := &account{Name: "projects/" + ProjectID + "/serviceAccounts/" + Email(name), Project: ProjectID, UniqueID: "1000" + s.next(),
		Email: Email(name), DisplayName: display, Description: description, Etag: etag(1), unlisted: s.config.Lag, ungranted: s.config.Lag}
	s.accounts = append(s.accounts, a)
	return a
}

// ChangeAccount lets f change an account, as people do in Google's pages.
func (s *Server) ChangeAccount(name string, f func(displayName, description *string, disabled *bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(Email(name))
	f(&a.DisplayName, &a.Description, &a.Disabled)
}

// RemoveAccount removes an account with its keys. What it was granted is that of a deleted account.
func (s *Server) RemoveAccount(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeAccount(s.account(Email(name)))
}

func (s *Server) removeAccount(a *account) {
	s.accounts = slices.DeleteFunc(s.accounts, func(o *account) bool { return o == a })
	s.keys = slices.DeleteFunc(s.keys, func(k *key) bool { return k.Account == a.Email })
	for _, b := range s.buckets {
		for n := range b.policy.Bindings {
			for m, member := range b.policy.Bindings[n].Members {
				if member == "serviceAccount:"+a.Email {
					b.policy.Bindings[n].Members[m] = "deleted:" + member + "?uid=" + a.UniqueID
					b.version++
				}
			}
		}
	}
}

// Accounts returns the service accounts: "NAME: DESCRIPTION".
func (s *Server) Accounts() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		name, _, _ := strings.Cut(a.Email, "@")
		all = append(all, name+": "+a.Description)
	}
	return all
}

func (s *Server) accountRoutes(mux *http.ServeMux) {
	const root = "/v1/projects/" + ProjectID + "/serviceAccounts"
	one := func(handler func(*call, *account) answer) func(*call) answer {
		return func(c *call) answer {
			if a := c.account(c.req.PathValue("email")); a != nil {
				return handler(c, a)
			}
			return refuse(http.StatusNotFound, "Unknown service account")
		}
	}
	type given struct {
		DisplayName string `json:"displayName"`
		Description string `json:"description"`
	}
	s.handle(mux, "GET "+root, func(c *call) answer {
		var listed []*account
		for _, a := range c.accounts {
			if a.unlisted > 0 {
				a.unlisted--
				continue
			}
			listed = append(listed, a)
		}
		return page(c, "accounts", listed)
	})
	s.handle(mux, "POST "+root, func(c *call) answer {
		var in struct {
			ID      string `json:"accountId"`
			Account given  `json:"serviceAccount"`
		}
		c.read(&in)
		switch {
		case len(in.ID) < 6 || len(in.ID) > 30 || len(in.Account.Description) > 256:
			return refuse(http.StatusBadRequest, "Invalid account")
		case c.account(Email(in.ID)) != nil:
			return refuse(http.StatusConflict, "Service account %s already exists within project projects/%s.", in.ID, ProjectID)
		}
		return ok(c.addAccount(in.ID, in.Account.DisplayName, in.Account.Description))
	})
	s.handle(mux, "GET "+root+"/{email}", one(func(_ *call, a *account) answer { return ok(a) }))
	s.handle(mux, "PATCH "+root+"/{email}", one(func(c *call, a *account) answer {
		var in struct {
			Account given  `json:"serviceAccount"`
			Mask    string `json:"updateMask"`
		}
		c.read(&in)
		for name := range strings.SplitSeq(in.Mask, ",") {
			switch name {
			case "description":
				a.Description = in.Account.Description
			case "displayName":
				a.DisplayName = in.Account.DisplayName
			default:
				return refuse(http.StatusBadRequest, "Invalid update mask")
			}
		}
		return ok(a)
	}))
	s.handle(mux, "DELETE "+root+"/{email}", one(func(c *call, a *account) answer {
		c.removeAccount(a)
		return ok(map[string]any{})
	}))
}
