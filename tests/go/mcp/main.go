// Command mcp is a Model Context Protocol server and a client for it, both from mcp-go.
//
//	mcp                  serves streamable HTTP at /mcp and HTTP with SSE at /sse; prints "listening ADDRESS" first
//	mcp -stdio           serves on standard input and output
//	mcp -client URL      initialize, notifications/initialized, tools/list, tools/call; prints what came back
//	mcp -client URL -modern      the same without a handshake (MCP 2026-07-28): server/discover, tools/list, tools/call
//	mcp -client URL -sse         the same as -client over the transport of 2024-11
//	mcp -command BINARY          starts BINARY -stdio and talks to it; waits for a line on stdin when it is connected
//	mcp -ask                     serves tools that ask and tell the client, and logs that as lines of JSON
//	mcp -client URL -call NAMES [-sse]   calls such tools, each behind a line on stdin, and answers what it is asked
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

var everything = flag.Bool("everything", false, "as a client, make calls of every kind, failing ones too")

func main() {
	address := flag.String("listen", "127.0.0.1:0", "address to listen on")
	endpoint := flag.String("client", "", "be a client of this URL")
	modern := flag.Bool("modern", false, "as a client, speak the newest protocol instead of the last with a handshake")
	sse := flag.Bool("sse", false, "as a client, use HTTP with server-sent events")
	stdio := flag.Bool("stdio", false, "serve on standard input and output")
	command := flag.String("command", "", "be a client of this program")
	ask := flag.Bool("ask", false, "serve tools that ask the client, and ping it every 100 ms over SSE")
	names := flag.String("call", "", "as a client, call these tools, and answer what is asked meanwhile")
	flag.Parse()

	lines := bufio.NewReader(os.Stdin)
	next := func() error {
		_, err := lines.ReadString('\n')
		return err
	}
	version := mcp.LATEST_LEGACY_PROTOCOL_VERSION
	if *modern {
		version = mcp.LATEST_PROTOCOL_VERSION
	}
	var session *client.Client
	var err error
	switch {
	case *stdio:
		err = server.ServeStdio(newServer())
	case *command != "":
		if session, err = client.NewStdioMCPClient(*command, nil, "-stdio"); err == nil {
			fmt.Println("connected")
			if err = next(); err == nil {
				err = converse(session, version)
			}
		}
	case *names != "" && *sse:
		if session, err = client.NewSSEMCPClient(*endpoint); err == nil {
			err = beAsked(session, strings.Split(*names, ","), next)
		}
	case *names != "":
		if session, err = listenTo(*endpoint); err == nil {
			err = beAsked(session, strings.Split(*names, ","), next)
		}
	case *endpoint != "" && *sse:
		if session, err = client.NewSSEMCPClient(*endpoint); err == nil {
			err = converse(session, version)
		}
	case *endpoint != "":
		if session, err = client.NewStreamableHttpClient(*endpoint); err == nil {
			err = converse(session, version)
		}
	default:
		err = serve(*address, *ask)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func newServer() *server.MCPServer {
	tools := server.NewMCPServer("calculator", "1.0.0", server.WithToolCapabilities(false))
	tools.AddTool(
		mcp.NewTool("multiply",
			mcp.WithDescription("a times b"),
			mcp.WithNumber("a", mcp.Required()),
			mcp.WithNumber("b", mcp.Required()),
		),
		func(_ context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			a, err := request.RequireFloat("a")
			if err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
			b, err := request.RequireFloat("b")
			if err != nil {
				return mcp.NewToolResultError(err.Error()), nil
			}
			return mcp.NewToolResultText(fmt.Sprint(a * b)), nil
		},
	)
	tools.AddTool(mcp.NewTool("fail"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("a tool's own error"), nil
	})
	tools.AddTool(mcp.NewTool("long"), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText(strings.Repeat("long ", 3000)), nil
	})
	tools.AddPrompt(mcp.NewPrompt("greet"),
		func(context.Context, mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return mcp.NewGetPromptResult("a greeting", nil), nil
		})
	tools.AddResource(mcp.NewResource("note://one", "note"),
		func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: "note://one", Text: "x"}}, nil
		})
	return tools
}

func serve(address string, ask bool) error {
	tools := newServer()
	options := []server.SSEOption{}
	if ask {
		tools.EnableSampling()
		addAsking(tools)
		options = append(options, server.WithKeepAliveInterval(100*time.Millisecond))
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", server.NewStreamableHTTPServer(tools))
	overSSE := server.NewSSEServer(tools, options...)
	mux.Handle("/sse", overSSE)
	mux.Handle("/message", overSSE)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("listening", listener.Addr())
	return http.Serve(listener, mux)
}

func converse(session *client.Client, version string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	defer session.Close()
	if err := session.Start(ctx); err != nil {
		return err
	}

	hello := mcp.InitializeRequest{}
	hello.Params.ProtocolVersion = version
	hello.Params.ClientInfo = mcp.Implementation{Name: "goinst-test", Version: "1.0.0"}
	// With a handshake: initialize, then notifications/initialized.
	welcome, err := session.Initialize(ctx, hello)
	if err != nil {
		return err
	}
	fmt.Println("server", welcome.ServerInfo.Name)

	tools, err := session.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return err
	}
	for _, tool := range tools.Tools {
		fmt.Println("tool", tool.Name)
	}

	call := mcp.CallToolRequest{}
	call.Params.Name = "multiply"
	call.Params.Arguments = map[string]any{"a": 6, "b": 7}
	result, err := session.CallTool(ctx, call)
	if err != nil {
		return err
	}
	for _, content := range result.Content {
		if text, ok := content.(mcp.TextContent); ok {
			fmt.Println("result", text.Text)
		}
	}
	if !*everything {
		return nil
	}
	for _, name := range []string{"fail", "long", "absent"} {
		call := mcp.CallToolRequest{}
		call.Params.Name = name
		result, err := session.CallTool(ctx, call)
		fmt.Println(name, err == nil && !result.IsError)
	}
	prompt := mcp.GetPromptRequest{}
	prompt.Params.Name = "greet"
	if _, err := session.GetPrompt(ctx, prompt); err != nil {
		return err
	}
	resource := mcp.ReadResourceRequest{}
	resource.Params.URI = "note://one"
	_, err = session.ReadResource(ctx, resource)
	return err
}
