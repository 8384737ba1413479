package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// logged is a line of what the server asked or told its client, and what came of it.
type logged struct {
	Method string  `json:"method"`
	Token  string  `json:"token,omitempty"`
	Step   float64 `json:"step,omitempty"`
	Failed bool    `json:"failed"`
	Vain   bool    `json:"vain"`
}

func put(line logged) {
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}

func asked(ctx context.Context, method string, err error) {
	put(logged{Method: method, Failed: err != nil && ctx.Err() == nil, Vain: ctx.Err() != nil})
}

func tell(ctx context.Context, request *mcp.CallToolRequest) {
	if token := request.Params.GetProgressToken(); token != nil {
		for step := 1.0; step <= 2; step++ {
			err := request.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
				ProgressToken: token, Progress: step, Total: 2,
			})
			put(logged{Method: "notifications/progress", Token: fmt.Sprint(token), Step: step, Failed: err != nil})
		}
	}
}

// addAsking gives a server tools that ask and tell the client while they are called.
func addAsking(server *mcp.Server) {
	said := func(text string) *mcp.CallToolResult {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}
	}
	type none struct{}
	mcp.AddTool(server, &mcp.Tool{Name: "tell"},
		func(ctx context.Context, request *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
			tell(ctx, request)
			return said("told"), nil, nil
		})
	mcp.AddTool(server, &mcp.Tool{Name: "ask"},
		func(ctx context.Context, request *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
			tell(ctx, request)
			asked(ctx, "ping", request.Session.Ping(ctx, nil))
			_, err := request.Session.CreateMessage(ctx, &mcp.CreateMessageParams{})
			asked(ctx, "sampling/createMessage", err)
			_, err = request.Session.Elicit(ctx, &mcp.ElicitParams{Message: "name?"})
			asked(ctx, "elicitation/create", err)
			_, err = request.Session.ListRoots(ctx, nil)
			asked(ctx, "roots/list", err)
			return said("asked"), nil, nil
		})
	mcp.AddTool(server, &mcp.Tool{Name: "vain"},
		func(ctx context.Context, request *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
			ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			_, err := request.Session.CreateMessage(ctx, &mcp.CreateMessageParams{SystemPrompt: "do not answer"})
			asked(ctx, "sampling/createMessage", err)
			return nil, nil, errors.New("no answer")
		})
}

// answering is a client that answers what a server asks: fast, with an error, or never.
func answering() *mcp.Client {
	client := mcp.NewClient(&mcp.Implementation{Name: "goinst-test", Version: "1.0.0"}, &mcp.ClientOptions{
		CreateMessageHandler: func(_ context.Context, request *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			if request.Params.SystemPrompt != "" {
				select {}
			}
			time.Sleep(20 * time.Millisecond)
			return &mcp.CreateMessageResult{Model: "none", Role: "assistant", Content: &mcp.TextContent{Text: "an answer"}}, nil
		},
		ElicitationHandler: func(context.Context, *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return nil, errors.New("nobody is here")
		},
	})
	client.AddRoots(&mcp.Root{URI: "file:///one", Name: "one"})
	return client
}

// beAsked calls tools, with progress; each time a line has come in: the probes that it takes may be waited for.
func beAsked(ctx context.Context, transport mcp.Transport, names []string, next func() error) error {
	session, err := answering().Connect(ctx, transport, nil)
	if err != nil {
		return err
	}
	fmt.Println("connected")
	for number, name := range names {
		if err := next(); err != nil {
			return err
		}
		params := &mcp.CallToolParams{Name: name}
		params.SetProgressToken(fmt.Sprint("token-", number))
		if _, err := session.CallTool(ctx, params); err != nil {
			return err
		}
		fmt.Println("called", name)
	}
	return next()
}
