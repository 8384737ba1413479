package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// logged is a line of what this side asked or told the other, or of what it was asked, and what came of it.
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

// addAsking gives a server tools that ask and tell the client while they are called.
func addAsking(tools *server.MCPServer) {
	tell := func(ctx context.Context, request mcp.CallToolRequest) {
		if meta := request.Params.Meta; meta != nil && meta.ProgressToken != nil {
			for step := 1.0; step <= 2; step++ {
				err := tools.SendNotificationToClient(ctx, "notifications/progress", map[string]any{
					"progressToken": meta.ProgressToken, "progress": step, "total": 2,
				})
				put(logged{Method: "notifications/progress", Token: fmt.Sprint(meta.ProgressToken), Step: step, Failed: err != nil})
			}
			time.Sleep(20 * time.Millisecond) // mcp-go drops what is not written when the call is over
		}
	}
	tools.AddTool(mcp.NewTool("tell"), func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		tell(ctx, request)
		return mcp.NewToolResultText("told"), nil
	})
	tools.AddTool(mcp.NewTool("ask"), func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		tell(ctx, request)
		_, err := tools.RequestSampling(ctx, mcp.CreateMessageRequest{})
		asked(ctx, "sampling/createMessage", err)
		question := mcp.ElicitationRequest{}
		question.Params.Message = "name?"
		question.Params.RequestedSchema = map[string]any{"type": "object", "properties": map[string]any{}}
		_, err = tools.RequestElicitation(ctx, question)
		asked(ctx, "elicitation/create", err)
		_, err = tools.RequestRoots(ctx, mcp.ListRootsRequest{})
		asked(ctx, "roots/list", err)
		return mcp.NewToolResultText("asked"), nil
	})
	tools.AddTool(mcp.NewTool("vain"), func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		question := mcp.CreateMessageRequest{}
		question.CreateMessageParams.SystemPrompt = "do not answer"
		_, err := tools.RequestSampling(ctx, question)
		asked(ctx, "sampling/createMessage", err)
		return mcp.NewToolResultError("no answer"), nil
	})
}

// person answers what a server asks: fast, with an error, or never.
type person struct{}

func (person) CreateMessage(_ context.Context, request mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
	if request.CreateMessageParams.SystemPrompt != "" {
		select {}
	}
	time.Sleep(20 * time.Millisecond)
	result := &mcp.CreateMessageResult{Model: "none"}
	result.Role = mcp.RoleAssistant
	result.Content = mcp.NewTextContent("an answer")
	return result, nil
}

func (person) Elicit(context.Context, mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	return nil, errors.New("nobody is here")
}

func (person) ListRoots(context.Context, mcp.ListRootsRequest) (*mcp.ListRootsResult, error) {
	return &mcp.ListRootsResult{Roots: []mcp.Root{{URI: "file:///one", Name: "one"}}}, nil
}

// listenTo is a client of streamable HTTP that answers what it is asked.
func listenTo(endpoint string) (*client.Client, error) {
	over, err := transport.NewStreamableHTTP(endpoint, transport.WithContinuousListening())
	if err != nil {
		return nil, err
	}
	return client.NewClient(over,
		client.WithSamplingHandler(person{}), client.WithElicitationHandler(person{}), client.WithRootsHandler(person{}),
	), nil
}

// beAsked calls tools, with progress; each time a line has come in: the probes that it takes may be waited for.
func beAsked(session *client.Client, names []string, next func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	defer session.Close()
	if err := session.Start(ctx); err != nil {
		return err
	}
	hello := mcp.InitializeRequest{}
	hello.Params.ProtocolVersion = mcp.LATEST_LEGACY_PROTOCOL_VERSION
	hello.Params.ClientInfo = mcp.Implementation{Name: "goinst-test", Version: "1.0.0"}
	if _, err := session.Initialize(ctx, hello); err != nil {
		return err
	}
	fmt.Println("connected")
	for number, name := range names {
		if err := next(); err != nil {
			return err
		}
		call := mcp.CallToolRequest{}
		call.Params.Name = name
		call.Params.Meta = &mcp.Meta{ProgressToken: fmt.Sprint("token-", number)}
		if _, err := session.CallTool(ctx, call); err != nil {
			return err
		}
		fmt.Println("called", name)
	}
	return next()
}
