import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/**
 * An MCP server of 2025-11-25 on Tomcat that keeps what its clients abandon, as blocking servlet
 * transports do. A request has its thread until it has ended. A GET stream ends only when a write to
 * it fails, and nothing is ever written to it, so that the server never notices a FIN: the thread
 * and the socket, in CLOSE-WAIT, stay for ever. A session ends with a DELETE and not otherwise.
 *
 * <p>Tomcat has 150 threads, connections and places in its backlog. It listens on 127.0.0.1 only.
 *
 * <p>Usage: java LeakyMcp PORT DIRECTORY
 */
public class LeakyMcp extends HttpServlet {
	private static final int THREADS = 150;
	private static final String INITIALIZED =
			"{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{\"listChanged\":true}},"
					+ "\"serverInfo\":{\"name\":\"leaky\",\"version\":\"1.0.0\"}}";
	private static final String TOOLS =
			"{\"tools\":[{\"name\":\"echo\",\"description\":\"Returns its text.\",\"inputSchema\":{\"type\":\"object\","
					+ "\"properties\":{\"text\":{\"type\":\"string\"}},\"required\":[\"text\"]}}]}";

	private static final Set<String> sessions = ConcurrentHashMap.newKeySet();
	private static final AtomicLong requests = new AtomicLong();
	private static final AtomicLong streams = new AtomicLong();

	@Override
	protected void doPost(HttpServletRequest req, HttpServletResponse resp) throws IOException {
		requests.incrementAndGet();
		String message = new String(req.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
		String id = member(message, "id");
		String method = string(member(message, "method"));
		if (method.equals("initialize")) {
			String session = UUID.randomUUID().toString();
			sessions.add(session);
			resp.setHeader("Mcp-Session-Id", session);
		} else if (!known(req, resp)) {
			return;
		}
		if (id == null) {
			resp.setStatus(HttpServletResponse.SC_ACCEPTED);
			return;
		}
		switch (method) {
			case "initialize" -> json(resp, response(id, "result", INITIALIZED));
			case "ping" -> json(resp, response(id, "result", "{}"));
			case "tools/list" -> json(resp, response(id, "result", TOOLS));
			case "tools/call" -> {
				String text = member(member(member(message, "params"), "arguments"), "text");
				String content = "{\"content\":[{\"type\":\"text\",\"text\":" + text + "}]}";
				stream(resp, response(id, "result", content));
			}
			default -> json(resp, response(id, "error", "{\"code\":-32601,\"message\":\"Method not found\"}"));
		}
	}

	@Override
	protected void doGet(HttpServletRequest req, HttpServletResponse resp) throws IOException {
		requests.incrementAndGet();
		if (!known(req, resp)) {
			return;
		}
		resp.setContentType("text/event-stream");
		resp.flushBuffer();
		streams.incrementAndGet();
		try {
			new CountDownLatch(1).await(); // there is nothing to write, and so nothing fails
		} catch (InterruptedException e) {
			Thread.currentThread().interrupt();
		} finally {
			streams.decrementAndGet();
		}
	}

	@Override
	protected void doDelete(HttpServletRequest req, HttpServletResponse resp) {
		requests.incrementAndGet();
		sessions.remove(String.valueOf(req.getHeader("Mcp-Session-Id")));
	}

	/** Reports whether a request belongs to a session; if not, it has been refused. */
	private static boolean known(HttpServletRequest req, HttpServletResponse resp) throws IOException {
		String session = req.getHeader("Mcp-Session-Id");
		if (session == null) {
			resp.sendError(HttpServletResponse.SC_BAD_REQUEST);
			return false;
		}
		if (!sessions.contains(session)) {
			resp.sendError(HttpServletResponse.SC_NOT_FOUND);
			return false;
		}
		return true;
	}

	private static String response(String id, String member, String value) {
		return "{\"jsonrpc\":\"2.0\",\"id\":" + id + ",\"" + member + "\":" + value + "}";
	}

	private static void json(HttpServletResponse resp, String message) throws IOException {
		byte[] body = message.getBytes(StandardCharsets.UTF_8);
		resp.setContentType("application/json");
		resp.setContentLength(body.length);
		resp.getOutputStream().write(body);
	}

	/** Answers with an event stream of one message, which ends then. */
	private static void stream(HttpServletResponse resp, String message) throws IOException {
		resp.setContentType("text/event-stream");
		resp.flushBuffer();
		resp.getOutputStream().write(("event: message\ndata: " + message + "\n\n").getBytes(StandardCharsets.UTF_8));
	}

	/** Returns the text of a member of a JSON object, or null. The text must be valid JSON. */
	static String member(String object, String name) {
		if (object == null) {
			return null;
		}
		int depth = 0, from = -1;
		String key = null;
		for (int i = 0; i < object.length(); i++) {
			switch (object.charAt(i)) {
				case '"' -> {
					int end = endOfString(object, i);
					if (depth == 1 && from < 0) {
						key = object.substring(i + 1, end);
					}
					i = end;
				}
				case ':' -> {
					if (depth == 1 && from < 0) {
						from = i + 1;
					}
				}
				case '{', '[' -> depth++;
				case ',', '}', ']' -> {
					if (depth == 1 && from >= 0) {
						if (name.equals(key)) {
							return object.substring(from, i).strip();
						}
						from = -1;
					}
					if (object.charAt(i) != ',') {
						depth--;
					}
				}
				default -> { }
			}
		}
		return null;
	}

	private static int endOfString(String text, int begin) {
		int i = begin + 1;
		while (text.charAt(i) != '"') {
			i += text.charAt(i) == '\\' ? 2 : 1;
		}
		return i;
	}

	/** Returns a JSON string without its quotes, or "". */
	private static String string(String value) {
		return value == null || value.length() < 2 ? "" : value.substring(1, value.length() - 1);
	}

	/** The health check, which also says what the server holds. */
	static class Health extends HttpServlet {
		@Override
		protected void doGet(HttpServletRequest req, HttpServletResponse resp) throws IOException {
			resp.setContentType("text/plain");
			resp.getWriter().println("ok sessions=" + sessions.size() + " streams=" + streams + " requests=" + requests);
		}
	}

	public static void main(String[] args) throws Exception {
		Tomcat tomcat = new Tomcat();
		tomcat.setBaseDir(args[1]);
		Connector connector = new Connector("org.apache.coyote.http11.Http11NioProtocol");
		connector.setPort(Integer.parseInt(args[0]));
		connector.setProperty("address", "127.0.0.1");
		connector.setProperty("maxThreads", String.valueOf(THREADS));
		connector.setProperty("maxConnections", String.valueOf(THREADS));
		connector.setProperty("acceptCount", String.valueOf(THREADS));
		connector.setProperty("connectionTimeout", "20000"); // as server.xml has it
		tomcat.setConnector(connector);
		Context context = tomcat.addContext("", new File(args[1]).getAbsolutePath());
		Tomcat.addServlet(context, "mcp", new LeakyMcp());
		context.addServletMappingDecoded("/mcp", "mcp");
		Tomcat.addServlet(context, "health", new Health());
		context.addServletMappingDecoded("/health", "health");
		tomcat.start();
		tomcat.getServer().await();
	}
}
