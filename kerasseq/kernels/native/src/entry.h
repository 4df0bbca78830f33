// Entry points of one cell and dtype. Included once per instruction set, inside its namespace.

template <class C, class T> void forward(const KsProblem &p) {
    prefer_large_pages(p.y, size_t(p.batch * p.time * p.units) * sizeof(T));
    prefer_large_pages(p.reserve, reserve_size<C, T>(p) * sizeof(T));
    Parts count{nullptr, 0};
    Forward<C, T> planned(p, count);
    Scratch block(count.used);
    Parts parts{static_cast<char *>(block.memory), 0};
    Forward<C, T> pass(p, parts);
    pass.pack_weights();
    parallel(pass.s.tasks, [](void *c, int i) { static_cast<Forward<C, T> *>(c)->run(i); }, &pass);
}

template <class C, class T> void backward(const KsProblem &p) {
    prefer_large_pages(p.dx, size_t(p.batch * p.time * p.inputs) * sizeof(T));
    Parts count{nullptr, 0};
    Backward<C, T> planned(p, count);
    Scratch block(count.used);
    Parts parts{static_cast<char *>(block.memory), 0};
    Backward<C, T> pass(p, parts);
    pass.pack_weights();
    parallel(pass.s.tasks, [](void *c, int i) { static_cast<Backward<C, T> *>(c)->run(i); }, &pass);
    parallel(larger(pass.s.tasks, 1),
             [](void *c, int i) {
                 auto *o = static_cast<Backward<C, T> *>(c);
                 o->reduce(i, int(larger(o->s.tasks, 1)));
             },
             &pass);
}
