BPF_PROG_ARRAY(goinst_tails, 128);
struct netrpc_server {
    u64 sequence;
    u32 method_length;
    u32 error_length;
    u16 method_copied;
    u16 error_copied;
    u32 id_length;
    u8 codec;
    u8 flags;
    char id[62];
    char method[128];
    char error[128];
} __attribute__((aligned(8)));
static __always_inline struct netrpc_server *netrpc_server_begin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_begin(hit, 1, 0);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct netrpc_server *)op->payload : 0;
}
static __always_inline struct netrpc_server *netrpc_server_current(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_find(hit, 1);
    return op ? (struct netrpc_server *)op->payload : 0;
}
static __always_inline struct netrpc_server *netrpc_server_origin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_origin(hit);
    return op && op->head.type == 1 ? (struct netrpc_server *)op->payload : 0;
}
static __always_inline struct netrpc_server *netrpc_server_last(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_last(hit, 1);
    return op ? (struct netrpc_server *)op->payload : 0;
}
static __always_inline struct netrpc_server *netrpc_server_begin_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_begin_keyed(
        hit, 1, 0, address, number);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct netrpc_server *)op->payload : 0;
}
static __always_inline struct netrpc_server *netrpc_server_find_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_find_keyed(hit, 1, address, number);
    return op ? (struct netrpc_server *)op->payload : 0;
}
static __always_inline void netrpc_server_forget_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    goinst_operation_forget(hit, address, number);
}
static __always_inline struct goinst_operation *netrpc_server_operation(struct netrpc_server *record)
{
    return (void *)record - offsetof(struct goinst_operation, payload);
}
static __always_inline void netrpc_server_end(struct netrpc_server *record, u64 last)
{
    if (last > sizeof(record->error))
        last = sizeof(record->error);
    goinst_operation_end(netrpc_server_operation(record), offsetof(struct netrpc_server, error) + last,
                         31, 32, 34);
}
struct netrpc_client {
    u64 sequence;
    u32 method_length;
    u32 error_length;
    u16 method_copied;
    u16 error_copied;
    u32 id_length;
    u8 codec;
    u8 flags;
    char id[62];
    char method[128];
    char error[128];
} __attribute__((aligned(8)));
static __always_inline struct netrpc_client *netrpc_client_begin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_begin(hit, 2, 1);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct netrpc_client *)op->payload : 0;
}
static __always_inline struct netrpc_client *netrpc_client_current(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_find(hit, 2);
    return op ? (struct netrpc_client *)op->payload : 0;
}
static __always_inline struct netrpc_client *netrpc_client_origin(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_origin(hit);
    return op && op->head.type == 2 ? (struct netrpc_client *)op->payload : 0;
}
static __always_inline struct netrpc_client *netrpc_client_last(struct goinst_hit *hit)
{
    struct goinst_operation *op = goinst_operation_last(hit, 2);
    return op ? (struct netrpc_client *)op->payload : 0;
}
static __always_inline struct netrpc_client *netrpc_client_begin_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_begin_keyed(
        hit, 2, 1, address, number);
    if (op)
        goinst_count(NUMBER);
    return op ? (struct netrpc_client *)op->payload : 0;
}
static __always_inline struct netrpc_client *netrpc_client_find_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    struct goinst_operation *op = goinst_operation_find_keyed(hit, 2, address, number);
    return op ? (struct netrpc_client *)op->payload : 0;
}
static __always_inline void netrpc_client_forget_keyed(struct goinst_hit *hit, u64 address, u32 number)
{
    goinst_operation_forget(hit, address, number);
}
static __always_inline struct goinst_operation *netrpc_client_operation(struct netrpc_client *record)
{
    return (void *)record - offsetof(struct goinst_operation, payload);
}
static __always_inline void netrpc_client_end(struct netrpc_client *record, u64 last)
{
    if (last > sizeof(record->error))
        last = sizeof(record->error);
    goinst_operation_end(netrpc_client_operation(record), offsetof(struct netrpc_client, error) + last,
                         35, 36, 38);
}
#define NETRPC_GOB 0
#define NETRPC_JSON 1
#define NETRPC_OTHER 2
#define NETRPC_UNKNOWN_METHOD 1
#define NETRPC_FAILED 2
#define REQUEST_METHOD 0
#define REQUEST_SEQ 16
#define RESPONSE_SEQ 16
#define RESPONSE_ERROR 24
#define JSON_SERVER_SEQ 72
#define JSON_SERVER_METHOD 32
#define JSON_SERVER_PENDING 80
#define JSON_CLIENT_RESPONSE_ID 72
#define JSON_CLIENT_RESPONSE_ERROR 88
#define SWISS_DIRECTORY 16
#define TABLE_GROUPS 16
#define T_GOB_SERVER ADDRESS
#define T_JSON_SERVER ADDRESS
#define T_STRING ADDRESS
#define netrpc_call__bias 0UL
#define netrpc_call__s ((u64)ctx->ax)
#define netrpc_call__server ((u64)ctx->bx)
#define netrpc_call__sending ((u64)ctx->cx)
#define netrpc_call__wg ((u64)ctx->di)
#define netrpc_call__mtype ((u64)ctx->si)
#define netrpc_call__req ((u64)ctx->r8)
#define netrpc_call__argv_typ_ ((u64)ctx->r9)
#define netrpc_call__argv_ptr ((u64)ctx->r10)
#define netrpc_call__argv_flag ((u64)ctx->r11)
#define netrpc_call__replyv_typ_ goinst_stack_word(hit, 8)
#define netrpc_call__replyv_ptr goinst_stack_word(hit, 16)
#define netrpc_call__replyv_flag goinst_stack_word(hit, 24)
#define netrpc_call__codec_type goinst_stack_word(hit, 32)
#define netrpc_call__codec_data goinst_stack_word(hit, 40)
#define netrpc_respond__bias 0UL
#define netrpc_respond__server ((u64)ctx->ax)
#define netrpc_respond__sending ((u64)ctx->bx)
#define netrpc_respond__req ((u64)ctx->cx)
#define netrpc_respond__reply_type ((u64)ctx->di)
#define netrpc_respond__reply_data ((u64)ctx->si)
#define netrpc_respond__codec_type ((u64)ctx->r8)
#define netrpc_respond__codec_data ((u64)ctx->r9)
#define netrpc_respond__errmsg_ptr ((u64)ctx->r10)
#define netrpc_respond__errmsg_len ((u64)ctx->r11)
#define netrpc_json_request__c 0
#define netrpc_json_request__x_type 0
#define netrpc_json_request__x_data 0
#define netrpc_json_response__c 0
#define netrpc_json_response__r 0
#define netrpc_json_response__x_type 0
#define netrpc_json_response__x_data 0
#define netrpc_gob_send__bias 0UL
#define netrpc_gob_send__c ((u64)ctx->ax)
#define netrpc_gob_send__r ((u64)ctx->bx)
#define netrpc_gob_send__body_type ((u64)ctx->cx)
#define netrpc_gob_send__body_data ((u64)ctx->di)
#define netrpc_gob_header__bias 0UL
#define netrpc_gob_header__c ((u64)ctx->ax)
#define netrpc_gob_header__r ((u64)ctx->bx)
#define netrpc_gob_receive__bias 0UL
#define netrpc_gob_receive__c ((u64)ctx->ax)
#define netrpc_gob_receive__body_type ((u64)ctx->bx)
#define netrpc_gob_receive__body_data ((u64)ctx->cx)
#define netrpc_json_send__bias 0UL
#define netrpc_json_send__c ((u64)ctx->ax)
#define netrpc_json_send__r ((u64)ctx->bx)
#define netrpc_json_send__param_type ((u64)ctx->cx)
#define netrpc_json_send__param_data ((u64)ctx->di)
#define netrpc_json_receive__bias 0UL
#define netrpc_json_receive__c ((u64)ctx->ax)
#define netrpc_json_receive__x_type ((u64)ctx->bx)
#define netrpc_json_receive__x_data ((u64)ctx->cx)
int goinst_0_0_netrpc_call(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 0;
    netrpc_call(ctx, hit);
    return 0;
}
int goinst_0_0_tail_netrpc_find_id(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    hit->tails[0] = 0;
    netrpc_find_id(ctx, hit);
    return 0;
}
int goinst_1_0_netrpc_respond(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    netrpc_respond(ctx, hit);
    return 0;
}
int goinst_2_0_netrpc_gob_send(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    netrpc_gob_send(ctx, hit);
    return 0;
}
int goinst_3_0_netrpc_gob_header(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    netrpc_gob_header(ctx, hit);
    return 0;
}
int goinst_4_0_netrpc_gob_receive(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    netrpc_gob_receive(ctx, hit);
    return 0;
}
int goinst_5_0_netrpc_json_send(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    netrpc_json_send(ctx, hit);
    return 0;
}
int goinst_6_0_netrpc_json_receive(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + 0;
    netrpc_json_receive(ctx, hit);
    return 0;
}
int goinst_7_0_goinst_new_goroutine(struct pt_regs *ctx)
{
    struct goinst_hit here = {}, *hit = &here;
    if (!goinst_this_way(ctx))
        return 0;
    hit->tgid = bpf_get_current_pid_tgid() >> 32;
    if (!goinst_traced(hit->tgid))
        return 0;
    goinst_count(NUMBER);
    hit->g = ctx->r14;
    hit->sp = GOINST_SP(ctx) + -8;
    goinst_new_goroutine(ctx, hit);
    return 0;
}
