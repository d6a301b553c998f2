import java.io.BufferedReader;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderLatchListener;
import org.apache.curator.framework.recipes.leader.Participant;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryNTimes;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceInstanceBuilder;
import org.apache.curator.x.discovery.ServiceType;
import org.apache.curator.x.discovery.UriSpec;
import org.apache.curator.x.discovery.details.JsonInstanceSerializer;
import org.apache.curator.x.discovery.details.ServiceCacheListener;

/**
 * A program of Curator's users, driven by lines: {@code Curator HOST:PORT SESSION_MS}.
 *
 * <p>Each command is one line of words with tabs between them; each answer is one line, {@code = } and what was asked for
 * or {@code ! } and what went wrong. Lines with {@code * } tell what happened meanwhile. The end of the input ends it at once.
 */
public final class Curator {
    private final CuratorFramework client;
    private final List<AutoCloseable> open = new ArrayList<>();
    private ServiceDiscovery<Object> discovery;
    private LeaderLatch latch;
    private Contender contender;

    private Curator(CuratorFramework client) {
        this.client = client;
    }

    public static void main(String[] arguments) throws Exception {
        int session = Integer.parseInt(arguments[1]);
        CuratorFramework client =
            CuratorFrameworkFactory.newClient(arguments[0], session, session, new RetryNTimes(20, 100));
        client.start();
        client.blockUntilConnected();
        Curator program = new Curator(client);
        say("= ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            try {
                say("= " + program.obey(line.split("\t", -1)));
            } catch (Exception wrong) {
                say("! " + wrong);
            }
        }
        Runtime.getRuntime().halt(0);
    }

    private String obey(String[] words) throws Exception {
        switch (words[0]) {
            case "discovery": return discover(words[1], words[2], words.length > 3);
            case "register": discovery.registerService(instance(words)); return "registered";
            case "update": discovery.updateService(instance(words)); return "updated";
            case "unregister": discovery.unregisterService(instance(words)); return "unregistered";
            case "names": return String.join(" ", new TreeSet<>(discovery.queryForNames()));
            case "list": return told(discovery.queryForInstances(words[1]));
            case "cache": return cache(words[1]);
            case "put": return put(words[1], words[2]);
            case "data": return new String(client.getData().forPath(words[1]), StandardCharsets.UTF_8);
            case "latch": return latch(words[1], words[2]);
            case "unlatch": latch.close(); return "closed";
            case "participants": return participants();
            case "contend": return contend(words);
            case "rest": contender.rest(); return "rested";
            case "close": return close();
            default: throw new IllegalArgumentException(words[0]);
        }
    }

    // ---- discovery -----------------------------------------------------------------------------------------------

    @SuppressWarnings("unchecked")
    private String discover(String base, String payload, boolean modern) throws Exception {
        Map<String, Class<?>> kinds =
            Map.of("map", Map.class, "string", String.class, "object", Object.class, "none", Void.class);
        Class<Object> kind = (Class<Object>) kinds.get(payload);
        // Compatible records leave out whether an instance is enabled.
        JsonInstanceSerializer<Object> serializer = new JsonInstanceSerializer<>(kind, !modern);
        discovery = ServiceDiscoveryBuilder.builder(kind).client(client).basePath(base).serializer(serializer).build();
        discovery.start();
        open.add(discovery);
        return "started";
    }

    /** {@code register NAME ID ADDRESS [key=value ..]}. */
    private static ServiceInstance<Object> instance(String[] words) throws Exception {
        ServiceInstanceBuilder<Object> builder = ServiceInstance.builder();
        builder.name(words[1]).id(words[2]).address(words[3]).registrationTimeUTC(1700000000000L);
        Map<String, String> map = new HashMap<>();
        for (String word : Arrays.asList(words).subList(4, words.length)) {
            String[] pair = word.split("=", 2);
            switch (pair[0]) {
                case "port": builder.port(Integer.parseInt(pair[1])); break;
                case "ssl": builder.sslPort(Integer.parseInt(pair[1])); break;
                case "uri": builder.uriSpec(new UriSpec(pair[1])); break;
                case "type": builder.serviceType(ServiceType.valueOf(pair[1])); break;
                case "enabled": builder.enabled(Boolean.parseBoolean(pair[1])); break;
                case "text": builder.payload(pair[1]); break;
                case "number": builder.payload(Long.valueOf(pair[1])); break;
                default: map.put(pair[0], pair[1]); break;
            }
        }
        if (!map.isEmpty()) {
            builder.payload(map);
        }
        return builder.build();
    }

    private String cache(String name) throws Exception {
        ServiceCache<Object> cache = discovery.serviceCacheBuilder().name(name).build();
        cache.addListener(new ServiceCacheListener() {
            @Override
            public void cacheChanged() {
                say("* cache " + told(cache.getInstances()));
            }

            @Override
            public void stateChanged(CuratorFramework client, ConnectionState state) {
                say("* link " + state);
            }
        });
        cache.start();
        open.add(cache);
        return told(cache.getInstances());
    }

    private String put(String path, String data) throws Exception {
        client.create().creatingParentsIfNeeded().forPath(path, data.getBytes(StandardCharsets.UTF_8));
        return "put";
    }

    private static String told(Collection<ServiceInstance<Object>> instances) {
        TreeSet<String> told = new TreeSet<>();
        for (ServiceInstance<Object> each : instances) {
            told.add(String.join(" ",
                each.getName(), each.getId(), each.getAddress(), "port=" + each.getPort(), "ssl=" + each.getSslPort(),
                "payload=" + payload(each.getPayload()), "time=" + each.getRegistrationTimeUTC(),
                "type=" + each.getServiceType(), "uri=" + each.buildUriSpec(), "enabled=" + each.isEnabled()));
        }
        return String.join(" | ", told);
    }

    private static String payload(Object payload) {
        if (payload instanceof Map) {
            return payload.getClass().getSimpleName() + new TreeMap<Object, Object>((Map<?, ?>) payload);
        }
        return payload == null ? "null" : payload.getClass().getSimpleName() + ":" + payload;
    }

    // ---- elections -----------------------------------------------------------------------------------------------

    private String latch(String path, String id) throws Exception {
        latch = new LeaderLatch(client, path, id);
        latch.addListener(new LeaderLatchListener() {
            @Override
            public void isLeader() {
                say("* leads " + id);
            }

            @Override
            public void notLeader() {
                say("* follows " + id);
            }
        });
        latch.start();
        return "started";
    }

    private String participants() throws Exception {
        List<String> told = new ArrayList<>();
        for (Participant each : latch.getParticipants()) {
            told.add((each.isLeader() ? "leader " : "candidate ") + each.getId());
        }
        return String.join(" | ", told);
    }

    /** {@code contend PATH ID HISTORY CLOCK DOMAIN LEAD_MS}: leads again and again, each time for so long. */
    private String contend(String[] words) throws Exception {
        OutputStream history = new FileOutputStream(words[3], true);
        contender =
            new Contender(client, words[1], words[2], history, Long.parseLong(words[4]), words[5], Long.parseLong(words[6]));
        contender.start();
        return "contending";
    }

    /** Stands, leads for a while, closes its latch and begins again; tells a history what it sees. */
    private static final class Contender extends Thread {
        private final CuratorFramework client;
        private final String path;
        private final String id;
        private final OutputStream history;
        /** What the clock of the history is ahead of ours. */
        private final long clock;
        private final String domain;
        private final long span;
        private volatile boolean over;
        private volatile Exception broken;

        Contender(
            CuratorFramework client, String path, String id, OutputStream history, long clock, String domain, long span) {
            super("contender");
            this.client = client;
            this.path = path;
            this.id = id;
            this.history = history;
            this.clock = clock;
            this.domain = domain;
            this.span = span;
        }

        @Override
        public void run() {
            try {
                while (!over) {
                    stand();
                }
            } catch (Exception wrong) {
                broken = wrong;
            }
        }

        void rest() throws Exception {
            over = true;
            join();
            if (broken != null) {
                throw broken;
            }
        }

        private void stand() throws Exception {
            LeaderLatch latch = new LeaderLatch(client, path, id);
            tell(now(), "standing", "-", "id=" + id);
            latch.start();
            try {
                while (!over && !latch.hasLeadership()) {
                    Thread.sleep(1);
                }
                String own = latch.getOurPath();
                if (!over && own != null) {
                    lead(latch, own);
                }
            } finally {
                latch.close();
            }
        }

        private void lead(LeaderLatch latch, String own) throws Exception {
            // The domain is there when one of the other kind has stood before.
            String first = new String(client.getData().forPath(domain), StandardCharsets.UTF_8);
            String token = first + ":" + client.checkExists().forPath(own).getCzxid();
            if (!latch.hasLeadership()) {
                return;
            }
            tell(now(), "elected", token, "id=" + id);
            long end = now() + span * 1_000_000;
            for (long asked = now(); !over && asked < end; asked = now()) {
                if (!latch.hasLeadership()) {
                    tell(now(), "lost", token, "why=Latch");
                    return;
                }
                tell(asked, "claim", token, "");
                Thread.sleep(2);
            }
            tell(now(), "resigning", token, "");
        }

        private long now() {
            return System.nanoTime() + clock;
        }

        private void tell(long at, String event, String token, String detail) throws Exception {
            String line = at + " " + ProcessHandle.current().pid() + " " + event + " " + token;
            // One write for each line: others append to the same file.
            history.write(((line + " " + detail).stripTrailing() + "\n").getBytes(StandardCharsets.UTF_8));
        }
    }

    // ---- the rest ------------------------------------------------------------------------------------------------

    private String close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
        client.close();
        return "closed";
    }

    private static void say(String line) {
        PrintStream output = System.out;
        synchronized (output) {
            output.print(line.replace('\n', ' ') + "\n");
            output.flush();
        }
    }
}
