// Command mcpsdk is a Model Context Protocol server and its client, both from the official SDK.
//
//	mcpsdk [-ask]                serves streamable HTTP at /, HTTP with SSE at /sse; prints "listening ADDRESS" first
//	mcpsdk -stdio                serves on standard input and output
//	mcpsdk -client URL           talks to the first
//	mcpsdk -client URL -call NAMES [-sse]    calls tools that -ask adds, each behind a line on standard input
//	mcpsdk -command BINARY       starts BINARY -stdio and talks to it; waits for a line on standard input in between
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type numbers struct {
	A float64 `json:"a"`
	B float64 `json:"b"`
}

func multiply(_ context.Context, request *mcp.CallToolRequest, in numbers) (*mcp.CallToolResult, any, error) {
	if token := request.Params.GetProgressToken(); token != nil {
		_ = request.Session.NotifyProgress(context.Background(), &mcp.ProgressNotificationParams{
			ProgressToken: token, Progress: 1, Total: 2,
		})
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(in.A * in.B)}}}, nil, nil
}

func fail(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	return nil, nil, errors.New("a tool's own error")
}

// long answers with more than net/http buffers, and tells of its progress on the response's own stream.
func long(ctx context.Context, request *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	_ = request.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: "own", Progress: 1})
	text := strings.Repeat("long ", 2000)
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

func newServer() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "calculator", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "multiply", Description: "a times b"}, multiply)
	mcp.AddTool(server, &mcp.Tool{Name: "fail", Description: "fails"}, fail)
	mcp.AddTool(server, &mcp.Tool{Name: "long", Description: "answers long"}, long)
	server.AddPrompt(&mcp.Prompt{Name: "greet"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{}, nil
	})
	server.AddResource(&mcp.Resource{Name: "note", URI: "note://one"},
		func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "note://one", Text: "x"}}}, nil
		})
	return server
}

func converse(ctx context.Context, transport mcp.Transport, wait, more bool) error {
	client := mcp.NewClient(&mcp.Implementation{Name: "goinst-test", Version: "1.0.0"}, nil)
	session, err := client.Connect(ctx, transport, nil)
	if err != nil {
		return err
	}
	defer session.Close()
	if wait {
		fmt.Println("connected")
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			return err
		}
	}
	if more {
		if _, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "long"}); err != nil {
			return err
		}
	}
	if _, err := session.ListTools(ctx, nil); err != nil {
		return err
	}
	params := &mcp.CallToolParams{Name: "multiply", Arguments: map[string]any{"a": 6, "b": 7}}
	params.SetProgressToken("token-1")
	for _, call := range []*mcp.CallToolParams{params, {Name: "fail"}, {Name: "absent"}} {
		result, err := session.CallTool(ctx, call)
		fmt.Println(call.Name, err == nil && !result.IsError)
	}
	if _, err := session.GetPrompt(ctx, &mcp.GetPromptParams{Name: "greet"}); err != nil {
		return err
	}
	_, err = session.ReadResource(ctx, &mcp.ReadResourceParams{URI: "note://one"})
	return err
}

func main() {
	stdio := flag.Bool("stdio", false, "serve on standard input and output")
	endpoint := flag.String("client", "", "be a client of this URL")
	command := flag.String("command", "", "be a client of this program")
	more := flag.Bool("long", false, "as a client, call a tool first that answers long")
	ask := flag.Bool("ask", false, "serve tools that ask the client, too, and log that as lines of JSON")
	names := flag.String("call", "", "as a client, call these tools, and answer what is asked meanwhile")
	sse := flag.Bool("sse", false, "as a client, use HTTP with server-sent events")
	flag.Parse()
	lines := bufio.NewReader(os.Stdin)
	next := func() error {
		_, err := lines.ReadString('\n')
		return err
	}
	ctx := context.Background()
	var err error
	switch {
	case *stdio:
		err = newServer().Run(ctx, &mcp.StdioTransport{})
	case *names != "" && *sse:
		err = beAsked(ctx, &mcp.SSEClientTransport{Endpoint: *endpoint}, strings.Split(*names, ","), next)
	case *names != "":
		err = beAsked(ctx, &mcp.StreamableClientTransport{Endpoint: *endpoint}, strings.Split(*names, ","), next)
	case *endpoint != "":
		err = converse(ctx, &mcp.StreamableClientTransport{Endpoint: *endpoint}, false, *more)
	case *command != "":
		err = converse(ctx, &mcp.CommandTransport{Command: exec.Command(*command, "-stdio")}, true, *more)
	default:
		var listener net.Listener
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
			fmt.Println("listening", listener.Addr())
			server := newServer()
			if *ask {
				addAsking(server)
			}
			always := func(*http.Request) *mcp.Server { return server }
			mux := http.NewServeMux()
			mux.Handle("/sse", mcp.NewSSEHandler(always, nil))
			mux.Handle("/", mcp.NewStreamableHTTPHandler(always, nil))
			err = http.Serve(listener, mux)
		}
	}
	if err != nil {
		log.Fatal(err)
	}
}
